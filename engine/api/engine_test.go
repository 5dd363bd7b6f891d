package api_test

import (
	"archive/tar"
	"bytes"
	"context"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"berth/engine"
	"berth/engine/api"
	"berth/shim/server"

	"github.com/moby/moby/client"
)

// The test binary is the shim too, as berth is.
func init() {
	if len(os.Args) > 0 && os.Args[0] == "berth-shim" {
		os.Exit(server.Main())
	}
}

// rig is an engine of its own behind a socket, with the image "busybox".
type rig struct {
	t      *testing.T
	dir    string
	socket string
	client *client.Client
	server *api.Server
}

func newRig(t *testing.T) *rig {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("not root: cannot run containers")
	}
	// Sockets have short names, so not t.TempDir.
	dir, err := os.MkdirTemp("", "api")
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, dir: dir, socket: filepath.Join(dir, "s")}
	// Without credentials in its file the docker CLI asks the desktop's keyring.
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"auths":{"none.invalid":{}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	e, err := engine.Open(t.Context(), engine.Config{Root: filepath.Join(dir, "root"), State: filepath.Join(dir, "state"), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", r.socket)
	if err != nil {
		t.Fatal(err)
	}
	s := api.NewServer(api.New(e, log), log)
	r.server = s
	go func() {
		if err := s.Serve(l); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() { r.close(e, s) })
	if r.client, err = client.New(client.WithHost("unix://" + r.socket)); err != nil {
		t.Fatal(err)
	}
	got, err := r.client.ImageImport(t.Context(), client.ImageImportSource{Source: bytes.NewReader(rootfs(t)), SourceName: "-"},
		"busybox", client.ImageImportOptions{Changes: []string{`CMD ["sh"]`}})
	if err != nil {
		t.Fatal(err)
	}
	if err := got.Close(); err != nil {
		t.Error(err)
	}
	return r
}

// close takes everything away, and complains about what stays.
func (r *rig) close(e *engine.Engine, s *api.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	all, err := e.Containers.List(ctx, engine.ListOptions{All: true})
	if err != nil {
		r.t.Error(err)
	}
	for _, c := range all {
		if err := e.Containers.Remove(ctx, c.ID, engine.RemoveOptions{Force: true, Volumes: true}); err != nil {
			r.t.Error(err)
		}
	}
	if r.client != nil {
		r.client.Close()
	}
	if err := s.Shutdown(ctx); err != nil {
		r.t.Error(err)
	}
	if err := e.Close(ctx); err != nil {
		r.t.Error(err)
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil || strings.Contains(string(mounts), r.dir) {
		r.t.Errorf("mounts are left (%v)", err)
	}
	if err := os.RemoveAll(r.dir); err != nil {
		r.t.Error(err)
	}
}

// rootfs is the tar of a root file system with busybox and a link for each of the programs that the tests use.
func rootfs(t *testing.T) []byte {
	t.Helper()
	path, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("no static busybox in PATH: nothing to run in a container")
	}
	program, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	put := func(h tar.Header, body []byte) {
		h.Size = int64(len(body))
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"bin", "etc", "tmp", "proc", "sys", "dev"} {
		put(tar.Header{Name: dir + "/", Typeflag: tar.TypeDir, Mode: 0o755}, nil)
	}
	put(tar.Header{Name: "etc/passwd", Typeflag: tar.TypeReg, Mode: 0o644}, []byte("root:x:0:0:root:/root:/bin/sh\n"))
	put(tar.Header{Name: "etc/group", Typeflag: tar.TypeReg, Mode: 0o644}, []byte("root:x:0:\n"))
	put(tar.Header{Name: "bin/busybox", Typeflag: tar.TypeReg, Mode: 0o755}, program)
	for _, name := range strings.Fields("sh ls true sleep echo cat ps stat stty touch wc head seq pwd id kill printf tty env grep nslookup") {
		put(tar.Header{Name: "bin/" + name, Typeflag: tar.TypeSymlink, Linkname: "busybox", Mode: 0o777}, nil)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// eventually waits for a condition.
func (r *rig) eventually(what string, ok func() bool) {
	r.t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("waited in vain until %s", what)
		}
	}
}
