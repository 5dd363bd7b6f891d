package connect

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/moby/client"
)

func TestEnvironment(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want Config
	}{
		{nil, Config{}},
		{map[string]string{"DOCKER_HOST": "tcp://d"}, Config{Host: "tcp://d"}},
		{map[string]string{"DOCKER_HOST": "tcp://d", "BERTH_HOST": "tcp://b"}, Config{Host: "tcp://b"}},
		{map[string]string{"DOCKER_HOST": "tcp://d", "BERTH_ROOT": "/r"}, Config{Root: "/r"}},
		{map[string]string{"BERTH_ROOT": "/r", "BERTH_STATE": "/s"}, Config{Root: "/r", State: "/s"}},
	} {
		c.want.TLS.Dir = "/root/.docker"
		if got := Environment(func(k string) string { return c.env[k] }); got != c.want {
			t.Errorf("%v: %+v, want %+v", c.env, got, c.want)
		}
	}
}

func TestFill(t *testing.T) {
	t.Chdir("/tmp")
	c := Config{Root: "r", State: "s"}
	if err := c.Fill(); err != nil || c.Root != "/tmp/r" || c.SocketPath() != "/tmp/s/berth.sock" {
		t.Errorf("%+v: %v", c, err)
	}
	c = Config{}
	if err := c.Fill(); err != nil || c.Socket() != "unix:///run/berth/berth.sock" || !c.Local() {
		t.Errorf("%+v: %v", c, err)
	}
	c = Config{State: "/" + strings.Repeat("x", 120)}
	if err := c.Fill(); err == nil || !strings.Contains(err.Error(), "--state") {
		t.Errorf("a socket path that the kernel refuses: %v", err)
	}
}

// engine answers like one on a socket in a new state directory.
func engine(t *testing.T, h http.Handler) Config {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "bc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	c := Config{Root: filepath.Join(dir, "root"), State: dir}
	l, err := net.Listen("unix", c.SocketPath())
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return c
}

// version answers the ping that every client begins with.
func version(w http.ResponseWriter, r *http.Request) bool {
	w.Header().Set("Api-Version", "1.50")
	w.Header().Set("Content-Type", "application/json")
	return strings.HasSuffix(r.URL.Path, "/_ping")
}

func TestConnectUsesTheEngineThatListens(t *testing.T) {
	agents := make(chan string, 10)
	c := engine(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if version(w, r) {
			t.Error("a version was negotiated with a local engine")
			return
		}
		agents <- r.Header.Get("User-Agent") + " " + strings.Split(r.URL.Path, "/")[1]
		w.Write([]byte(`[]`))
	}))
	cl, err := Connect(context.Background(), c, Options{Version: "1", NoStart: true})
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if _, err := cl.ContainerList(context.Background(), client.ContainerListOptions{}); err != nil {
		t.Fatal(err)
	}
	if a := <-agents; a != "berth/1 v"+localAPI {
		t.Errorf("user agent %q", a)
	}
}

func TestNoEngine(t *testing.T) {
	dir := t.TempDir()
	c := Config{Root: dir, State: dir}
	if _, err := Connect(context.Background(), c, Options{NoStart: true}); !errors.Is(err, ErrNoEngine) {
		t.Errorf("no socket: %v", err)
	}
	// A socket whose process is gone refuses.
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: c.SocketPath(), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if _, err := Connect(context.Background(), c, Options{NoStart: true}); !errors.Is(err, ErrNoEngine) {
		t.Errorf("stale socket: %v", err)
	}
}

func TestBadHostIsNamed(t *testing.T) {
	if _, err := Connect(context.Background(), Config{Host: "nonsense"}, Options{}); err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("error %v", err)
	}
}

// TestRefusedUpgradeKeepsTheReason pins that the engine's words survive: the
// library says only "unable to upgrade to tcp, received 409".
func TestRefusedUpgradeKeepsTheReason(t *testing.T) {
	c := engine(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if version(w, r) {
			return
		}
		w.WriteHeader(http.StatusConflict)
		w.Write([]byte(`{"message":"container x is paused"}`))
	}))
	cl, err := Connect(context.Background(), c, Options{NoStart: true})
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	_, err = cl.ExecAttach(context.Background(), "x", client.ExecAttachOptions{})
	if err = cl.Explain(err); err == nil || err.Error() != "container x is paused" || !cerrdefs.IsConflict(err) {
		t.Errorf("error %v", err)
	}
	other := errors.New("another error")
	if got := cl.Explain(other); got != other {
		t.Errorf("a later error became %v", got)
	}
}
