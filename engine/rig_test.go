package engine

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"berth/runtime/cli"
	"berth/runtime/pid1"
	"berth/shim/server"
	"berth/store/image"

	"github.com/moby/moby/api/types/container"
)

// The test binary is the shim too, as berth is; the runtime; the init of a container and, for the tests that kill
// an engine, another engine.
func TestMain(m *testing.M) {
	if os.Args[0] == "berth-shim" {
		os.Exit(server.Main())
	}
	if os.Args[0] == pid1.Path {
		os.Exit(pid1.Main(os.Args))
	}
	if filepath.Base(os.Args[0]) == "berth-runtime" {
		os.Exit(cli.Main(os.Args))
	}
	if dir := os.Getenv(victimEnv); dir != "" {
		victim(dir)
	}
	os.Exit(m.Run())
}

// patience bounds what a test waits for.
const patience = 20 * time.Second

// rig is an engine of a test's own, with the image busybox.
type rig struct {
	*Engine
	t   testing.TB
	dir string
	ctx context.Context
}

// newRig opens an engine in directories of its own. At the end of the test it
// removes everything and checks that nothing is left.
func newRig(t testing.TB) *rig {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("not root: containers need mounts and namespaces")
	}
	// Short, for the sockets below it.
	dir, err := os.MkdirTemp("/tmp", "be")
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, dir: dir}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	r.ctx = ctx
	r.open()
	t.Cleanup(func() {
		defer cancel()
		if r.Engine == nil {
			r.open()
		}
		r.tearDown()
	})
	if _, err := r.store.Images.Import(ctx, rootfs(t), image.NewImage{
		Name: "busybox:latest", Changes: []string{`CMD ["sh"]`, `LABEL flavour=plain`},
	}); err != nil {
		t.Fatal(err)
	}
	return r
}

func testConfig(dir string) Config {
	return Config{
		Root: filepath.Join(dir, "root"), State: filepath.Join(dir, "state"),
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	}
}

func (r *rig) open() {
	r.t.Helper()
	e, err := Open(r.ctx, testConfig(r.dir))
	if err != nil {
		r.t.Fatal(err)
	}
	r.Engine = e
}

// close ends the engine and leaves the containers.
func (r *rig) close() {
	r.t.Helper()
	if err := r.Close(r.ctx); err != nil {
		r.t.Error(err)
	}
	r.Engine = nil
}

func (r *rig) tearDown() {
	for _, c := range r.Containers.all() {
		if err := r.Containers.Remove(r.ctx, c.id, RemoveOptions{Force: true, Volumes: true}); err != nil {
			r.t.Error(err)
		}
	}
	for _, v := range r.Volumes.snapshot() {
		if _, anonymous := v.Labels[anonymousLabel]; !anonymous { // those must be gone with their containers
			if err := r.Volumes.Remove(r.ctx, v.Name, false); err != nil {
				r.t.Error(err)
			}
		}
	}
	cgroups := r.cgroups
	if err := r.network.Remove(r.ctx); err != nil {
		r.t.Error(err)
	}
	r.close()
	r.until("nothing is left", func() string { return leftovers(r.dir, cgroups) })
	if err := os.RemoveAll(r.dir); err != nil {
		r.t.Error(err)
	}
}

// leftovers names something of the engine in dir that is still there.
func leftovers(dir string, cgroups cgroupfs) string {
	if table, err := os.ReadFile("/proc/self/mountinfo"); err != nil || bytes.Contains(table, []byte(dir)) {
		return "a mount"
	}
	for _, m := range cgroups.mounts {
		if _, err := os.Stat(filepath.Join(m, cgroups.parent)); err == nil {
			return "cgroup " + filepath.Join(m, cgroups.parent)
		}
	}
	for _, sub := range []string{"state/shim", "state/runtime", "root/containers", "root/volumes"} {
		if entries, err := os.ReadDir(filepath.Join(dir, sub)); err == nil && len(entries) > 0 {
			return sub + "/" + entries[0].Name()
		}
	}
	// A process of this engine sees one of its overlays. (Its private mount others may see: a shim of another
	// engine that was started meanwhile has a copy of the host's mount table.)
	procs, err := filepath.Glob("/proc/[0-9]*/mountinfo")
	if err != nil {
		return err.Error()
	}
	for _, p := range procs {
		if b, err := os.ReadFile(p); err == nil && bytes.Contains(b, []byte("upperdir="+dir)) {
			return "process " + filepath.Dir(p)
		}
	}
	return ""
}

// until waits for a condition; check says what is missing.
func (r *rig) until(what string, check func() string) {
	r.t.Helper()
	end := time.Now().Add(patience)
	for {
		missing := check()
		if missing == "" {
			return
		}
		if time.Now().After(end) {
			r.t.Errorf("%s: not within %v: %s", what, patience, missing)
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// rootfs is a tar stream with a static busybox.
func rootfs(t testing.TB) io.Reader {
	t.Helper()
	path, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("needs a static busybox in PATH")
	}
	bin, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	add := func(h tar.Header, content []byte) {
		h.Size = int64(len(content))
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []string{"bin", "dev", "etc", "proc", "root", "sys", "tmp"} {
		add(tar.Header{Name: d + "/", Typeflag: tar.TypeDir, Mode: 0o755}, nil)
	}
	add(tar.Header{Name: "bin/busybox", Typeflag: tar.TypeReg, Mode: 0o755}, bin)
	for _, name := range []string{"sh", "cat", "cut", "echo", "env", "false", "head", "hostname", "id", "ls", "mkdir", "mount", "nc", "ps", "pwd",
		"rm", "seq", "sleep", "stty", "touch", "true", "tty", "wc", "ip", "wget", "httpd", "tail", "grep", "chmod"} {
		add(tar.Header{Name: "bin/" + name, Typeflag: tar.TypeSymlink, Linkname: "busybox"}, nil)
	}
	add(tar.Header{Name: "etc/passwd", Typeflag: tar.TypeReg, Mode: 0o644}, []byte("root:x:0:0:root:/root:/bin/sh\nwww:x:33:33::/tmp:/bin/sh\n"))
	add(tar.Header{Name: "etc/group", Typeflag: tar.TypeReg, Mode: 0o644}, []byte("root:x:0:\nwheel:x:10:root\nwww:x:33:\n"))
	add(tar.Header{Name: "etc/noexec", Typeflag: tar.TypeReg, Mode: 0o644}, []byte("#!/bin/sh\n"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

// shell is a container that runs a script, without a network.
func shell(script string) CreateOptions {
	return CreateOptions{
		Config:     &container.Config{Image: "busybox", Cmd: []string{"sh", "-c", script}},
		HostConfig: &container.HostConfig{NetworkMode: "none"},
	}
}

func (r *rig) create(o CreateOptions) string {
	r.t.Helper()
	resp, err := r.Containers.Create(r.ctx, o)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.ID
}

func (r *rig) start(id string) {
	r.t.Helper()
	if err := r.Containers.Start(r.ctx, id, StartOptions{}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) run(o CreateOptions) string {
	r.t.Helper()
	id := r.create(o)
	r.start(id)
	return id
}

// wait registers a waiter and returns a function that gives the exit code.
func (r *rig) wait(id string, cond container.WaitCondition) func() int {
	r.t.Helper()
	ch, err := r.Containers.Wait(r.ctx, id, cond)
	if err != nil {
		r.t.Fatal(err)
	}
	return func() int {
		r.t.Helper()
		select {
		case resp := <-ch:
			if resp.Error != nil {
				r.t.Errorf("wait for %s: %s", cond, resp.Error.Message)
			}
			return int(resp.StatusCode)
		case <-time.After(patience):
			r.t.Fatalf("wait for %s: not within %v", cond, patience)
			return -1
		}
	}
}

// exit waits for a container to end.
func (r *rig) exit(id string) int {
	r.t.Helper()
	return r.wait(id, container.WaitConditionNotRunning)()
}

func (r *rig) inspect(id string) container.InspectResponse {
	r.t.Helper()
	resp, err := r.Containers.Inspect(r.ctx, id, false)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp
}
