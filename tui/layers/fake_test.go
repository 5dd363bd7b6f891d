package layers

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"berth/engine/api/berthapi"
	"berth/tui/text"
)

// engine is an engine with one image and one container.
type engine struct {
	mu      sync.Mutex
	layers  []berthapi.Layer
	entries map[string][]berthapi.Entry // "3" or "3u" for the union
	files   map[string]string           // "3/etc/motd", "live/etc/motd"
	changes []berthapi.Change
	diffs   map[string][]berthapi.Difference // "image:app:1@layer0 container:c1"
	asked   map[string]int
	foreign bool // tells of containers what docker tells
	err     error
	waste   berthapi.Waste
	sent    int           // entries of parts
	slow    chan struct{} // entries after the first 1000 come when it is closed, or 1 ms apart
}

func (e *engine) begin(what string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked[what]++
	if e.foreign && (what == "changes" || strings.HasPrefix(what, "file live")) {
		return berthapi.ErrUnsupported
	}
	return e.err
}

func (e *engine) Layers(context.Context, string) ([]berthapi.Layer, error) {
	return e.layers, e.begin("layers")
}

func (e *engine) Entries(ctx context.Context, _ string, n int, union bool) iter.Seq2[berthapi.Entry, error] {
	name := fmt.Sprint(n)
	if union {
		name += "u"
	}
	return func(yield func(berthapi.Entry, error) bool) {
		if err := e.begin("entries " + name); err != nil {
			yield(berthapi.Entry{}, err)
			return
		}
		for i, entry := range e.entries[name] {
			if e.slow != nil && i >= 1000 {
				select {
				case <-e.slow:
				case <-time.After(time.Millisecond):
				}
			}
			if ctx.Err() != nil {
				yield(berthapi.Entry{}, ctx.Err())
				return
			}
			if !yield(entry, nil) {
				return
			}
		}
	}
}

func (e *engine) EntriesOf(_ context.Context, _ string, n int, union bool, part berthapi.Part) iter.Seq2[berthapi.Entry, error] {
	name := fmt.Sprint(n)
	if union {
		name += "u"
	}
	return func(yield func(berthapi.Entry, error) bool) {
		if err := e.begin("part " + name + " " + part.Dir); err != nil {
			yield(berthapi.Entry{}, err)
			return
		}
		left := part.Limit
		for _, entry := range e.entries[name] {
			if path.Dir(entry.Path) != part.Dir || part.After != "" && entry.Path <= part.After {
				continue
			}
			e.sent++
			if !yield(entry, nil) {
				return
			}
			if left--; left == 0 {
				return
			}
		}
	}
}

func (e *engine) Waste(context.Context, string) (berthapi.Waste, error) {
	return e.waste, e.begin("waste")
}

func put(path string, kind berthapi.Kind, size int64) berthapi.Entry {
	return berthapi.Entry{Path: path, Kind: kind, Type: berthapi.File, Size: size}
}

func (e *engine) open(name string) (io.ReadCloser, error) {
	if err := e.begin("file " + name); err != nil {
		return nil, err
	}
	s, ok := e.files[name]
	if !ok {
		return nil, fmt.Errorf("no file %s: %w", name, errdefs.ErrNotFound)
	}
	return io.NopCloser(strings.NewReader(s)), nil
}

func (e *engine) LayerFile(_ context.Context, _ string, n int, path string) (io.ReadCloser, error) {
	return e.open(fmt.Sprint(n) + path)
}

func (e *engine) ContainerFile(_ context.Context, _, path string) (io.ReadCloser, error) {
	return e.open("live" + path)
}

func (e *engine) Changes(context.Context, string) iter.Seq2[berthapi.Change, error] {
	err := e.begin("changes")
	e.mu.Lock()
	defer e.mu.Unlock()
	return sequence(err, e.changes...)
}

func (e *engine) Diff(_ context.Context, from, to string, _ berthapi.DiffOptions) iter.Seq2[berthapi.Difference, error] {
	err := e.begin("diff")
	e.mu.Lock()
	defer e.mu.Unlock()
	found, ok := e.diffs[from+" "+to]
	if err == nil && !ok {
		err = fmt.Errorf("no trees %s %s: %w", from, to, errdefs.ErrNotFound)
	}
	return sequence(err, found...)
}

// sequence yields all items, and then the error if there is one.
func sequence[T any](err error, all ...T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range all {
			if !yield(item, nil) {
				return
			}
		}
		if err != nil {
			var none T
			yield(none, err)
		}
	}
}

func (e *engine) ContainerDiff(context.Context, string, client.ContainerDiffOptions) (client.ContainerDiffResult, error) {
	return client.ContainerDiffResult{Changes: []container.FilesystemChange{
		{Path: "/etc", Kind: container.ChangeModify}, {Path: "/etc/motd", Kind: container.ChangeModify},
		{Path: "/new", Kind: container.ChangeAdd}, {Path: "/old", Kind: container.ChangeDelete},
	}}, nil
}

func (e *engine) CopyFromContainer(_ context.Context, _ string, o client.CopyFromContainerOptions) (client.CopyFromContainerResult, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	head := &tar.Header{Name: path.Base(o.SourcePath), Size: int64(len(e.files["live"+o.SourcePath])), Mode: 0o644}
	if o.SourcePath == "/new" {
		head = &tar.Header{Name: "new/", Typeflag: tar.TypeDir}
	}
	w.WriteHeader(head)
	io.WriteString(w, e.files["live"+o.SourcePath])
	w.Close()
	return client.CopyFromContainerResult{Content: io.NopCloser(&b)}, nil
}

func (e *engine) set(changes ...berthapi.Change) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.changes = changes
}

func (e *engine) count(what string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.asked[what]
}

// newEngine has the image of the picture in the specification.
func newEngine() *engine {
	dir := func(p string, k berthapi.Kind) berthapi.Entry {
		return berthapi.Entry{Path: p, Kind: k, Type: berthapi.Dir, Mode: 0o755}
	}
	file := func(p string, k berthapi.Kind, size int64) berthapi.Entry {
		return berthapi.Entry{Path: p, Kind: k, Type: berthapi.File, Mode: 0o644, Size: size}
	}
	gone := func(p string) berthapi.Entry {
		return berthapi.Entry{Path: p, Kind: berthapi.Deleted, Type: berthapi.File}
	}
	base := []berthapi.Entry{
		dir("/etc", "A"), file("/etc/app.conf", "A", 40), file("/etc/motd", "A", 12),
		dir("/usr/bin", "A"), file("/usr/bin/env", "A", 48_000),
		{Path: "/usr/bin/sh", Kind: "A", Type: berthapi.Symlink, Mode: 0o777, Link: "busybox"},
		{Path: "/tmp", Kind: "A", Type: berthapi.Dir, Mode: 0o1777},
		file("/var/lib/apt/lists/main", "A", 4_000_000),
	}
	e := &engine{
		asked: map[string]int{},
		waste: berthapi.Waste{Efficiency: 0.885, Files: []berthapi.WastedFile{
			{Path: "/var/lib/apt/lists/main", Count: 3, Size: 20_000_000}, {Path: "/etc/app.conf", Count: 2, Size: 82}, {Path: "/etc/motd", Count: 2, Size: 24},
		}},
		layers: []berthapi.Layer{
			{Index: 0, Size: 78_000_000, CreatedBy: "/bin/sh -c #(nop) ADD file:5f0e in / ", Wasted: 4_000_000},
			{Index: 1, Empty: true, CreatedBy: "ENV A=b"},
			{Index: 2, Size: 41_000_000, Wasted: 8_000_000, CreatedBy: "RUN /bin/sh -c apt-get install -y nginx # buildkit"},
			{Index: 3, Size: 9_100_000, CreatedBy: "COPY . /app # buildkit"},
		},
		entries: map[string][]berthapi.Entry{
			"0": base,
			"2": {file("/var/lib/apt/lists/main", "M", 8_000_000), file("/usr/sbin/nginx", "A", 1_300_000)},
			"3": {
				dir("/app", "A"), file("/app/main.go", "A", 2100), file("/app/logo.png", "A", 1_300_000),
				file("/etc/app.conf", "M", 42), file("/etc/motd", "M*", 12), gone("/var/lib/apt/lists/main"),
			},
		},
		files: map[string]string{
			"0/etc/app.conf": "# app\nworkers = 2\nport = 80\n", "3/etc/app.conf": "# app\nworkers = 8\nport = 80\n",
			"0/etc/motd": "welcome\n", "3/etc/motd": "welcome\n",
			"3/app/main.go":  "package main\n\n// main says hello.\nfunc main() {\n\tprintln(\"hello\", 42)\n}\n",
			"3/app/logo.png": "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
			"live/etc/motd":  "hacked\n",
		},
	}
	union := append([]berthapi.Entry(nil), base...)
	for i := range union {
		union[i].Kind = ""
	}
	e.entries["3u"] = append(union, e.entries["3"][:3]...)
	return e
}

var longAgo = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// user drives a Model: it runs commands, except timers, until nothing is left.
type user struct {
	t     *testing.T
	m     *Model
	e     *engine
	out   []tea.Msg // messages for the console
	ticks int
}

func browse(t *testing.T, e *engine, s Subject) *user {
	u := &user{t: t, m: New(Config{Berth: e, Docker: e, ExtractDir: t.TempDir()}), e: e}
	t.Cleanup(u.m.Close)
	u.m.after = func(time.Duration, func(time.Time) tea.Msg) tea.Cmd { return func() tea.Msg { return timer{} } }
	u.m.SetSize(120, 30)
	u.run(u.m.SetVisible(true))
	u.run(u.m.Show(s))
	return u
}

var (
	anImage    = Subject{Image: "sha256:1", ImageName: "app:dev"}
	aContainer = Subject{Image: "sha256:1", ImageName: "app:dev", Container: "c1", Name: "web", Running: true}
)

// timer stands for one that was set: the tests let it go off themselves (tick).
type timer struct{}

// run executes a command as the runtime would.
func (u *user) run(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	switch msg := cmd().(type) {
	case nil:
	case timer:
		u.ticks++
	case tea.BatchMsg:
		for _, c := range msg {
			u.run(c)
		}
	case CloseMsg, CopyMsg, NoticeMsg:
		u.out = append(u.out, msg)
	default:
		u.run(u.m.Update(msg))
	}
}

// tick lets the timer of the live difference go off.
func (u *user) tick() { u.run(u.m.Update(pollMsg{u.m.gen})) }

func (u *user) press(keys ...string) {
	for _, k := range keys {
		u.run(u.m.Update(press(k)))
	}
}

// press is a key by the name it has in bindings.
func press(name string) tea.KeyPressMsg {
	special := map[string]tea.Key{
		"enter": {Code: tea.KeyEnter}, "esc": {Code: tea.KeyEscape}, "tab": {Code: tea.KeyTab}, "up": {Code: tea.KeyUp},
		"down": {Code: tea.KeyDown}, "space": {Code: tea.KeySpace, Text: " "}, "left": {Code: tea.KeyLeft}, "right": {Code: tea.KeyRight},
		"pgdown": {Code: tea.KeyPgDown}, "pgup": {Code: tea.KeyPgUp}, "home": {Code: tea.KeyHome}, "end": {Code: tea.KeyEnd},
		"backspace": {Code: tea.KeyBackspace},
	}
	if rest, ok := strings.CutPrefix(name, "ctrl+"); ok {
		k, found := special[rest]
		if !found {
			k = tea.Key{Code: []rune(rest)[0]}
		}
		k.Mod, k.Text = tea.ModCtrl, ""
		return tea.KeyPressMsg(k)
	}
	if k, ok := special[name]; ok {
		return tea.KeyPressMsg(k)
	}
	return tea.KeyPressMsg{Code: []rune(name)[0], Text: name}
}

func (u *user) screen() string { return text.Strip(u.m.View(u.m.width, u.m.height)) }

func (u *user) sees(want ...string) {
	u.t.Helper()
	for _, w := range want {
		if s := u.screen(); !strings.Contains(s, w) {
			u.t.Errorf("%q is not on the screen\n%s", w, s)
		}
	}
}

func (u *user) seesNot(unwanted ...string) {
	u.t.Helper()
	for _, w := range unwanted {
		if s := u.screen(); strings.Contains(s, w) {
			u.t.Errorf("%q is on the screen\n%s", w, s)
		}
	}
}
