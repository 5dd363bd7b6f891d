package engine

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"berth/engine/events"
	"berth/engine/filter"
	"berth/store"

	"github.com/containerd/errdefs"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	apievents "github.com/moby/moby/api/types/events"
	apiimage "github.com/moby/moby/api/types/image"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// imageFixture is an image store of its own, and containers that the test makes up.
type imageFixture struct {
	*Images
	t     *testing.T
	users []ImageUser
	sub   *events.Subscription
}

func newImageFixture(t *testing.T) *imageFixture {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("not root: layers hold device nodes and other people's files")
	}
	s, err := store.Open(t.Context(), t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	bus := events.NewBus()
	f := &imageFixture{t: t, sub: bus.Subscribe(events.Options{})}
	t.Cleanup(f.sub.Close)
	f.Images = NewImages(s, bus, func() []ImageUser { return f.users })
	return f
}

// seen drains the events so far and returns their actions.
func (f *imageFixture) seen() string {
	f.t.Helper()
	var actions []string
	// The mark is published after everything that has happened, and so comes last.
	f.events.Publish(apievents.DaemonEventType, "mark", "", nil)
	for {
		msg, err := f.sub.Next(f.t.Context())
		if err != nil {
			f.t.Fatal(err)
		}
		if msg.Action == "mark" {
			return strings.Join(actions, " ")
		}
		actions = append(actions, string(msg.Action))
	}
}

// tarball is a tar stream of files, by name; a name with a slash at the end is a directory, "a->b" a symbolic link.
func tarball(t *testing.T, files ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for i := 0; i < len(files); i += 2 {
		h := &tar.Header{Name: files[i], Mode: 0o644, Size: int64(len(files[i+1])), Typeflag: tar.TypeReg, ModTime: time.Unix(1, 0)}
		if name, target, ok := strings.Cut(files[i], "->"); ok {
			h.Name, h.Linkname, h.Typeflag = name, target, tar.TypeSymlink
		} else if strings.HasSuffix(files[i], "/") {
			h.Typeflag, h.Mode = tar.TypeDir, 0o755
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, files[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// at is n days after the beginning.
func at(n int) *time.Time {
	t := time.Unix(0, 0).UTC().AddDate(0, 0, n)
	return &t
}

// archiveOf is what docker save writes of an image of three layers and two steps that changed its configuration only.
func archiveOf(t *testing.T, day int, labels map[string]string, tags ...string) []byte {
	t.Helper()
	layers := [][]byte{
		tarball(t, "etc/", "", "etc/motd", "hello", "etc/gone", "1234567", "bin/", "", "bin/sh->../etc/motd", ""),
		tarball(t, "etc/.wh.gone", "", "etc/motd", "bye"),
		tarball(t, "new", "brand new"),
	}
	config := dockerspec.DockerOCIImage{}
	config.Created, config.OS, config.Architecture, config.RootFS.Type = at(day), "linux", "amd64", "layers"
	config.Config.Cmd, config.Config.Labels = []string{"sh"}, labels
	config.History = []ocispec.History{
		{Created: at(1), CreatedBy: "ADD base"}, {Created: at(2), CreatedBy: "ENV A=1", EmptyLayer: true},
		{Created: at(3), CreatedBy: "RUN rm"}, {Created: at(4), CreatedBy: "COPY new", Comment: "last"},
		{Created: at(day), CreatedBy: "CMD sh", EmptyLayer: true},
	}
	item := map[string]any{"RepoTags": tags, "Config": "config.json"}
	files := []string{}
	var names []string
	for i, l := range layers {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, digest.FromBytes(l))
		names = append(names, string(rune('0'+i))+".tar")
		files = append(files, names[i], string(l))
	}
	item["Layers"] = names
	return tarball(t, append(files, "config.json", encoded(t, config), "manifest.json", encoded(t, []any{item}))...)
}

func encoded(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func (f *imageFixture) load(day int, labels map[string]string, tags ...string) string {
	f.t.Helper()
	loaded, err := f.Load(f.t.Context(), bytes.NewReader(archiveOf(f.t, day, labels, tags...)))
	if err != nil || len(loaded) == 0 {
		f.t.Fatalf("load: %v, %v", loaded, err)
	}
	return loaded[0].ID
}

func TestLoadedImagesAreListedInspectedAndSaved(t *testing.T) {
	f := newImageFixture(t)
	ctx := t.Context()
	id := f.load(9, map[string]string{"a": "1"}, "app:1", "app:latest", "127.0.0.1:5000/x/y:z")
	list, err := f.List(ctx, ImageListOptions{SharedSize: true})
	if err != nil || len(list) != 1 {
		t.Fatalf("list: %v, %v", list, err)
	}
	slices.Sort(list[0].RepoTags)
	if s := list[0]; s.ID != id || s.Created != at(9).Unix() || s.Size != 5+7+3+9 || s.SharedSize != 0 || s.Containers != 0 ||
		strings.Join(s.RepoTags, " ") != "127.0.0.1:5000/x/y:z app:1 app:latest" || s.RepoDigests == nil || s.Labels["a"] != "1" {
		t.Errorf("listed %+v", s)
	}
	full, err := f.Inspect(ctx, id[7:19])
	if err != nil || full.ID != id || full.Created != at(9).Format(time.RFC3339Nano) || len(full.RootFS.Layers) != 3 || full.Config.Cmd[0] != "sh" || full.Architecture != "amd64" {
		t.Errorf("inspected %+v, %v", full, err)
	}
	var saved bytes.Buffer
	if err := f.Save(ctx, &saved, []string{"app:1"}); err != nil {
		t.Fatal(err)
	}
	other := newImageFixture(t)
	if loaded, err := other.Load(ctx, &saved); err != nil || len(loaded) != 1 || loaded[0] != (LoadedImage{id, "app:1"}) {
		t.Errorf("loaded what was saved: %v, %v", loaded, err)
	}
	if err := f.Save(ctx, io.Discard, []string{"app", "nope"}); !errdefs.IsNotFound(err) || err.Error() != "No such image: nope" {
		t.Errorf("save of what is not there: %v", err)
	}
	if got := f.seen(); got != "load save" {
		t.Errorf("events: %s", got)
	}
}

func TestHistoryIsNewestFirstWithSizes(t *testing.T) {
	f := newImageFixture(t)
	id := f.load(9, nil, "app:1")
	steps, err := f.History(t.Context(), "app:1")
	if err != nil || len(steps) != 5 {
		t.Fatalf("%v, %v", steps, err)
	}
	want := []apiimage.HistoryResponseItem{
		{ID: id, CreatedBy: "CMD sh", Created: at(9).Unix(), Tags: []string{"app:1"}},
		{ID: "<missing>", CreatedBy: "COPY new", Created: at(4).Unix(), Size: 9, Comment: "last"},
		{ID: "<missing>", CreatedBy: "RUN rm", Created: at(3).Unix(), Size: 3},
		{ID: "<missing>", CreatedBy: "ENV A=1", Created: at(2).Unix()},
		{ID: "<missing>", CreatedBy: "ADD base", Created: at(1).Unix(), Size: 12},
	}
	if got, wanted := encoded(t, steps), encoded(t, want); got != wanted {
		t.Errorf("got  %s\nwant %s", got, wanted)
	}
}

func TestListFilters(t *testing.T) {
	f := newImageFixture(t)
	f.load(10, map[string]string{"a": "1"}, "old:1")
	f.load(20, map[string]string{"a": "2"}, "team/new:1")
	f.load(30, nil)
	for _, c := range []struct {
		filters filter.Args
		want    string
	}{
		{nil, "30 20 10"},
		{filter.Args{"dangling": {"true"}}, "30"},
		{filter.Args{"dangling": {"false"}}, "20 10"},
		{filter.Args{"label": {"a"}}, "20 10"},
		{filter.Args{"label": {"a=2"}}, "20"},
		{filter.Args{"before": {"team/new:1"}}, "10"},
		{filter.Args{"since": {"old:1"}}, "30 20"},
		{filter.Args{"until": {at(15).Format(time.RFC3339)}}, "10"},
		{filter.Args{"reference": {"old"}}, "10"},
		{filter.Args{"reference": {"team/*:1", "nope"}}, "20"},
	} {
		list, err := f.List(t.Context(), ImageListOptions{Filters: c.filters})
		var days []string
		for _, s := range list {
			days = append(days, strconv.FormatInt(s.Created/86400, 10))
		}
		if got := strings.Join(days, " "); err != nil || got != c.want {
			t.Errorf("%v: got %q, %v, want %q", c.filters, got, err, c.want)
		}
	}
	if list, err := f.List(t.Context(), ImageListOptions{Filters: filter.Args{"reference": {"old:2"}}}); err != nil || len(list) != 0 {
		t.Errorf("no such tag: %v, %v", list, err)
	}
	if err := f.Tag(t.Context(), "old:1", "other", "2"); err != nil {
		t.Fatal(err)
	}
	list, err := f.List(t.Context(), ImageListOptions{Filters: filter.Args{"reference": {"oth*"}}})
	if err != nil || len(list) != 1 || len(list[0].RepoTags) != 1 || list[0].RepoTags[0] != "other:2" {
		t.Errorf("only the names that match are shown: %+v, %v", list, err)
	}
	for _, bad := range []filter.Args{{"colour": {"red"}}, {"reference": {"[]"}}, {"until": {"1", "x"}}, {"dangling": {"x"}}} {
		if _, err := f.List(t.Context(), ImageListOptions{Filters: bad}); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%v: got %v", bad, err)
		}
	}
	if _, err := f.List(t.Context(), ImageListOptions{Filters: filter.Args{"since": {"nope"}}}); !errdefs.IsNotFound(err) {
		t.Errorf("got %v", err)
	}
}

func TestLayersTellWhatEachStepDid(t *testing.T) {
	f := newImageFixture(t)
	f.load(9, nil, "app:1")
	layers, err := f.Layers(t.Context(), "app:1")
	if err != nil || len(layers) != 5 {
		t.Fatalf("%v, %v", layers, err)
	}
	for i, want := range []Layer{
		{CreatedBy: "ADD base", Size: 12, Added: 6},
		{CreatedBy: "ENV A=1", Empty: true},
		{CreatedBy: "RUN rm", Size: 3, Modified: 1, Deleted: 1, Wasted: 12},
		{CreatedBy: "COPY new", Size: 9, Added: 1, Comment: "last"},
		{CreatedBy: "CMD sh", Empty: true},
	} {
		got := layers[i]
		if got.Index != i || got.CreatedBy != want.CreatedBy || got.Size != want.Size || got.Added != want.Added || got.Modified != want.Modified ||
			got.Deleted != want.Deleted || got.Wasted != want.Wasted || got.Empty != want.Empty || got.Comment != want.Comment || got.Empty != (got.ChainID == "") {
			t.Errorf("layer %d: got %+v, want %+v", i, got, want)
		}
	}
}

func TestLayerEntriesAndTheirUnion(t *testing.T) {
	f := newImageFixture(t)
	f.load(9, nil, "app:1")
	entries := func(n int, union bool) string {
		t.Helper()
		seq, err := f.LayerEntries(t.Context(), "app:1", n, EntryOptions{Union: union})
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for e, err := range seq {
			if err != nil {
				t.Fatal(err)
			}
			if e.Path != "/" {
				all = append(all, strings.TrimSuffix(e.Path+":"+string(e.Kind), ":"))
			}
		}
		return strings.Join(all, " ")
	}
	for _, c := range []struct {
		n     int
		union bool
		want  string
	}{
		{0, false, "/bin:added /bin/sh:added /etc:added /etc/gone:added /etc/motd:added"},
		{1, false, ""},
		{1, true, "/bin /bin/sh /etc /etc/gone /etc/motd"},
		{2, false, "/etc /etc/gone:deleted /etc/motd:modified"},
		{2, true, "/bin /bin/sh /etc /etc/gone:deleted /etc/motd:modified"},
		{3, true, "/bin /bin/sh /etc /etc/motd /new:added"},
		{4, true, "/bin /bin/sh /etc /etc/motd /new"},
	} {
		if got := entries(c.n, c.union); got != c.want && got != strings.Replace(c.want, "/etc ", "", 1) {
			t.Errorf("layer %d, union %v: got %q, want %q", c.n, c.union, got, c.want)
		}
	}
	if _, err := f.LayerEntries(t.Context(), "app:1", 5, EntryOptions{}); !errdefs.IsNotFound(err) {
		t.Errorf("there is no layer 5: %v", err)
	}
}

func TestFilesOfLayers(t *testing.T) {
	f := newImageFixture(t)
	f.load(9, nil, "app:1")
	for _, c := range []struct {
		n          int
		path, want string
	}{{0, "/etc/motd", "hello"}, {2, "etc/motd", "bye"}, {4, "/etc/motd", "bye"}, {4, "/new", "brand new"}, {1, "/etc/gone", "1234567"}, {2, "/etc/gone", "1234567"}} {
		file, size, err := f.File(t.Context(), "app:1", c.n, c.path)
		if err != nil {
			t.Errorf("%d %s: %v", c.n, c.path, err)
			continue
		}
		text, err := io.ReadAll(file)
		if string(text) != c.want || size != int64(len(c.want)) || err != nil {
			t.Errorf("%d %s: got %q (%d), %v", c.n, c.path, text, size, err)
		}
		file.Close()
	}
	for path, is := range map[string]func(error) bool{
		"/nope": errdefs.IsNotFound, "/etc/motd/x": errdefs.IsNotFound, "/etc": errdefs.IsInvalidArgument,
		"/bin/sh": errdefs.IsInvalidArgument, "/../../etc/passwd": errdefs.IsNotFound, "": errdefs.IsInvalidArgument,
	} {
		if _, _, err := f.File(t.Context(), "app:1", 4, path); !is(err) {
			t.Errorf("%q: got %v", path, err)
		}
	}
	if _, _, err := f.File(t.Context(), "app:1", 0, "/new"); !errdefs.IsNotFound(err) {
		t.Errorf("a file of a later layer: %v", err)
	}
}
