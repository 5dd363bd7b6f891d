package berthapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
)

// serve answers on a unix socket with handler and returns a client of it.
func serve(t *testing.T, handler http.Handler) *Client {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	docker, err := client.New(client.WithHost("unix://" + socket))
	if err != nil {
		t.Fatal(err)
	}
	c := NewClient(docker)
	t.Cleanup(func() { c.Close(); docker.Close() })
	return c
}

// berth marks the replies of handler as berth's.
func berth(handler http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(Header, Version)
		handler(w, r)
	}
}

func TestReferencesAreOneEscapedSegment(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /berth/images/{ref}/layers", berth(func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode([]Layer{{CreatedBy: r.PathValue("ref")}})
	}))
	layers, err := serve(t, mux).Layers(t.Context(), "127.0.0.1:5000/team/app:1")
	if err != nil || len(layers) != 1 || layers[0].CreatedBy != "127.0.0.1:5000/team/app:1" {
		t.Fatalf("got %+v, %v", layers, err)
	}
}

func TestEntriesAreReadAsTheyCome(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /berth/images/{ref}/layers/{n}/entries", berth(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("union") != "1" || r.PathValue("n") != "2" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		enc := json.NewEncoder(w)
		enc.Encode(Entry{Path: "/a", Kind: Metadata, Type: File})
		enc.Encode(Entry{Path: "/b", Type: Dir})
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}))
	var got []string
	var end error
	for e, err := range serve(t, mux).Entries(t.Context(), "x", 2, true) {
		if err != nil {
			end = err
			break
		}
		got = append(got, e.Path+string(e.Kind))
	}
	if len(got) != 2 || got[0] != "/aM*" || got[1] != "/b" {
		t.Errorf("entries %q", got)
	}
	if end == nil {
		t.Error("a reply that is cut off must end in an error")
	}
}

func TestLinesThatEndEarlySayWhy(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /berth/containers/{id}/changes", berth(func(w http.ResponseWriter, _ *http.Request) {
		enc := json.NewEncoder(w)
		enc.Encode(Change{Path: "/error"})
		enc.Encode(Failed{"the path is too long"})
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}))
	var got []string
	var end error
	for c, err := range serve(t, mux).Changes(t.Context(), "x") {
		if end = err; err == nil {
			got = append(got, c.Path)
		}
	}
	if len(got) != 1 || got[0] != "/error" || end == nil || end.Error() != "the path is too long" {
		t.Errorf("%q, %v", got, end)
	}
}

func TestErrorsCarryTheEnginesWordsAndKind(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /berth/containers/{id}/file", berth(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, `{"message":"no file `+r.URL.Query().Get("path")+`"}`)
	}))
	mux.HandleFunc("GET /berth/containers/{id}/changes", berth(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
	}))
	c := serve(t, mux)
	_, err := c.ContainerFile(t.Context(), "x", "/a b")
	if !errdefs.IsNotFound(err) || err.Error() != "no file /a b" {
		t.Errorf("got %v", err)
	}
	for _, err = range c.Changes(t.Context(), "x") {
	}
	if err == nil || err.Error() != "the engine answered 418 I'm a teapot" {
		t.Errorf("got %v", err)
	}
	// The same server without the header is some other engine.
	if _, err := c.Layers(t.Context(), "x"); !errors.Is(err, ErrUnsupported) {
		t.Errorf("got %v", err)
	}
}

func TestCancelEndsARequest(t *testing.T) {
	started := make(chan struct{})
	c := serve(t, berth(func(_ http.ResponseWriter, r *http.Request) {
		close(started)
		<-r.Context().Done()
	}))
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-started; cancel() }()
	if _, err := c.LayerFile(ctx, "x", 0, "/f"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestModes(t *testing.T) {
	for _, m := range []fs.FileMode{0o644, fs.ModeDir | 0o755 | fs.ModeSticky, fs.ModeSetuid | 0o4 | fs.ModeSetgid,
		fs.ModeSymlink | 0o777, fs.ModeDevice | 0o600, fs.ModeDevice | fs.ModeCharDevice | 0o600, fs.ModeNamedPipe, fs.ModeSocket} {
		if got := (Entry{Type: TypeOf(m), Mode: UnixMode(m)}).FileMode(); got != m {
			t.Errorf("%v became %v", m, got)
		}
	}
}
