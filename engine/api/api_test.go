package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"berth/engine"
	"berth/engine/events"
	"berth/engine/filter"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/network"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// containers is one container called "web" that remembers what it was asked.
type containers struct {
	tty     bool
	mu      sync.Mutex
	asked   []any
	exit    chan container.WaitResponse
	entries []entry
	attach  func(engine.AttachOptions) error
	samples int
	changed []string // paths
}

var errNoContainer = &kinded{"No such container: nope", errdefs.ErrNotFound}

func (c *containers) ask(ref string, what ...any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, what...)
	if ref == "nope" {
		return errNoContainer
	}
	return nil
}

func (c *containers) List(_ context.Context, o engine.ListOptions) ([]container.Summary, error) {
	return nil, c.ask("", o)
}

func (c *containers) Inspect(_ context.Context, ref string, size bool) (container.InspectResponse, error) {
	return container.InspectResponse{ID: "0123", Name: "/web", Config: &container.Config{Tty: c.tty}, NetworkSettings: &container.NetworkSettings{}}, c.ask(ref)
}

func (c *containers) MACAddress(ref string) (network.HardwareAddr, error) {
	return network.HardwareAddr{2, 0, 0, 0, 0, 1}, c.ask(ref)
}

func (c *containers) Changes(_ context.Context, ref string) (iter.Seq2[container.FilesystemChange, error], error) {
	return func(yield func(container.FilesystemChange, error) bool) {
		for i, path := range c.changed {
			if !yield(container.FilesystemChange{Path: path, Kind: container.ChangeType(i % 3)}, nil) {
				return
			}
		}
	}, c.ask(ref)
}

func (c *containers) Top(_ context.Context, ref, psArgs string) (container.TopResponse, error) {
	return container.TopResponse{Titles: []string{psArgs}}, c.ask(ref)
}

func (c *containers) Stats(_ context.Context, ref string) (container.StatsResponse, error) {
	c.samples++
	if c.samples > 2 {
		return container.StatsResponse{}, errNoContainer
	}
	s := container.StatsResponse{ID: "0123"}
	s.CPUStats.CPUUsage.TotalUsage = uint64(c.samples)
	return s, c.ask(ref)
}

func (c *containers) Create(_ context.Context, o engine.CreateOptions) (container.CreateResponse, error) {
	return container.CreateResponse{ID: "0123"}, c.ask(o.Name, o)
}

func (c *containers) Start(_ context.Context, ref string, o engine.StartOptions) error {
	if ref == "running" {
		return errdefs.ErrNotModified
	}
	return c.ask(ref, o)
}

func (c *containers) Stop(_ context.Context, ref string, o engine.StopOptions) error {
	return c.ask(ref, o)
}

func (c *containers) Restart(_ context.Context, ref string, o engine.StopOptions) error {
	return c.ask(ref, o)
}
func (c *containers) Kill(_ context.Context, ref, signal string) error { return c.ask(ref, signal) }

func (c *containers) RemoveLink(name string) error { return c.ask("web", name) }

func (c *containers) Remove(_ context.Context, ref string, o engine.RemoveOptions) error {
	if !o.Force {
		return fmt.Errorf("container %q is running: stop the container before removing or force remove: %w", ref, errdefs.ErrConflict)
	}
	return c.ask(ref, o)
}
func (c *containers) Rename(_ context.Context, ref, name string) error { return c.ask(ref, name) }
func (c *containers) Pause(_ context.Context, ref string) error        { return c.ask(ref, "pause") }
func (c *containers) Update(_ context.Context, ref string, u container.UpdateConfig) error {
	return c.ask(ref, u)
}
func (c *containers) Unpause(_ context.Context, ref string) error { return c.ask(ref, "unpause") }
func (c *containers) Wait(_ context.Context, ref string, cond container.WaitCondition) (<-chan container.WaitResponse, error) {
	return c.exit, c.ask(ref, cond)
}

func (c *containers) Resize(_ context.Context, ref string, h, w uint) error {
	return c.ask(ref, [2]uint{h, w})
}

func (c *containers) Prune(_ context.Context, f filter.Args) (container.PruneReport, error) {
	return container.PruneReport{}, c.ask("", f)
}

func (c *containers) Attach(_ context.Context, ref string, o engine.AttachOptions) error {
	if o.Accept != nil {
		var err error
		if o.Conn, o.Pending, err = o.Accept(); err != nil {
			return err
		}
	}
	return errors.Join(c.ask(ref, ref), c.attach(o))
}

func (c *containers) Logs(ctx context.Context, ref string, o engine.LogsOptions, w engine.LogWriter) error {
	for _, e := range c.entries {
		if err := w.WriteEntry(e.Entry); err != nil {
			return err
		}
	}
	if o.Follow {
		<-ctx.Done()
		return ctx.Err()
	}
	return c.ask(ref, o)
}

func (c *containers) Export(_ context.Context, ref string, w io.Writer) error {
	if err := c.ask(ref); err != nil {
		return err
	}
	io.WriteString(w, strings.Repeat("half a tar", 10_000))
	return errors.New("the disk is gone")
}

func (c *containers) Commit(_ context.Context, ref string, o engine.CommitOptions) (string, error) {
	return "sha256:c", c.ask(ref, o)
}

// images is one image, and an import that reads its body.
type images struct{ asked []any }

func (i *images) List(_ context.Context, o engine.ImageListOptions) ([]image.Summary, error) {
	i.asked = append(i.asked, o)
	return []image.Summary{{ID: "sha256:1", Size: 7, Containers: 2}}, nil
}

func (i *images) Inspect(_ context.Context, ref string) (image.InspectResponse, error) {
	i.asked = append(i.asked, ref)
	return image.InspectResponse{ID: "sha256:1", Size: 7}, nil
}

func (i *images) Provides(_ context.Context, ref string, p *ocispec.Platform) error {
	if p.OS != "linux" {
		return fmt.Errorf("%s is for linux: %w", ref, errdefs.ErrNotFound)
	}
	return nil
}

func (i *images) Parent(context.Context, string) (string, error) { return "sha256:0", nil }

func (i *images) History(_ context.Context, ref string) ([]image.HistoryResponseItem, error) {
	i.asked = append(i.asked, ref)
	return nil, nil
}

func (i *images) Save(_ context.Context, w io.Writer, refs []string) error {
	_, err := fmt.Fprint(w, refs)
	return err
}

func (i *images) Load(_ context.Context, r io.Reader) ([]engine.LoadedImage, error) {
	if b, _ := io.ReadAll(r); string(b) != "tar" {
		return nil, fmt.Errorf("reading the archive: not a tar: %w", errdefs.ErrInvalidArgument)
	}
	return []engine.LoadedImage{{ID: "sha256:1", Ref: "a:1"}, {ID: "sha256:2"}}, nil
}

func (i *images) Import(_ context.Context, r io.Reader, o engine.ImportOptions) (string, error) {
	i.asked = append(i.asked, o)
	b, err := io.ReadAll(r)
	return "sha256:" + string(b), err
}

func (i *images) Fetch(_ context.Context, src string) (engine.Download, error) {
	if src == "nowhere" {
		return engine.Download{}, fmt.Errorf("failed to GET http://nowhere: %w", errdefs.ErrNotFound)
	}
	return engine.Download{Body: io.NopCloser(strings.NewReader("abc")), Size: 3, URL: "http://" + src}, nil
}

func (i *images) Tag(_ context.Context, ref, repo, tag string) error {
	i.asked = append(i.asked, [3]string{ref, repo, tag})
	return nil
}

func (i *images) Remove(_ context.Context, ref string, o engine.ImageRemoveOptions) ([]image.DeleteResponse, error) {
	i.asked = append(i.asked, ref, o)
	return nil, nil
}

func (i *images) Prune(context.Context, filter.Args) (image.PruneReport, error) {
	return image.PruneReport{}, nil
}

// fixture serves the API over a unix socket.
type fixture struct {
	t          *testing.T
	containers *containers
	images     *images
	bus        *events.Bus
	server     *Server
	socket     string
	http       *http.Client
	header     map[string]string // of all requests that follow
}

func serve(t *testing.T) *fixture { return serveParts(t, func(*parts) {}) }

// serveParts serves the parts that more adds as well.
func serveParts(t *testing.T, more func(*parts)) *fixture {
	t.Helper()
	f := &fixture{t: t, containers: &containers{exit: make(chan container.WaitResponse, 1)}, images: &images{}, bus: events.NewBus()}
	quietly := slog.New(slog.DiscardHandler)
	p := parts{
		containers: containerHandlers{f.containers, f.containers, f.containers},
		images:     imageHandlers{read: f.images, write: f.images},
		commit:     commitHandlers{f.containers},
		events:     eventHandlers{f.bus},
	}
	more(&p)
	f.server = NewServer(newHandler(p, quietly), quietly)
	f.socket = filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", f.socket)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- f.server.Serve(l) }()
	f.http = &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", f.socket)
	}}}
	t.Cleanup(func() {
		f.http.CloseIdleConnections()
		if err := f.server.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return f
}

// do sends a request and returns the status and the body.
func (f *fixture) do(method, path, body string) (int, string) {
	f.t.Helper()
	resp := f.send(method, path, body)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(text))
}

func (f *fixture) send(method, path, body string) *http.Response {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), method, "http://berth"+path, strings.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for key, value := range f.header {
		req.Header.Set(key, value)
	}
	resp, err := f.http.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	return resp
}

// expect does and compares; a wanted body that is JSON with a message may be given as "message: …".
func (f *fixture) expect(method, path, body string, status int, want string) {
	f.t.Helper()
	gotStatus, got := f.do(method, path, body)
	if message, ok := strings.CutPrefix(want, "message: "); ok {
		var reply struct{ Message string }
		if err := json.Unmarshal([]byte(got), &reply); err != nil {
			f.t.Errorf("%s %s: %q is no JSON", method, path, got)
		}
		got, want = reply.Message, message
	}
	if gotStatus != status || got != want {
		f.t.Errorf("%s %s: got %d %q, want %d %q", method, path, gotStatus, got, status, want)
	}
}
