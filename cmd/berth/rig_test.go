package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"berth/cmd/berth/connect"
	"berth/cmd/berth/starter"
)

// rig is a root and a state directory of a test's own, with the engines that
// work on them. Its end removes the containers, stops the engine and fails the
// test if anything is left: a process, a mount, a cgroup.
type rig struct {
	t    testing.TB
	dir  string
	conf connect.Config
}

func newRig(t testing.TB) *rig {
	t.Helper()
	needRoot(t)
	// Not t.TempDir: the path of the socket must stay short.
	dir, err := os.MkdirTemp("/tmp", "bt")
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, dir: dir, conf: connect.Config{Root: filepath.Join(dir, "root"), State: filepath.Join(dir, "run")}}
	t.Cleanup(r.end)
	return r
}

// environ is what makes a child use this rig.
func (r *rig) environ() []string { return r.conf.Environ() }

// command is berth with these arguments, on this rig.
func (r *rig) command(args ...string) *exec.Cmd {
	// A verb that hangs fails its test instead of all.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	r.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, "berth", args...)
	cmd.Env = append(r.environ(), "TERM=xterm-256color")
	return cmd
}

// berth runs a verb that must succeed and returns what it prints.
func (r *rig) berth(args ...string) string {
	r.t.Helper()
	out, code, msg := r.try(args...)
	if code != 0 {
		r.t.Fatalf("berth %s: exit code %d: %s\nengine: %s", strings.Join(args, " "), code, msg, r.log())
	}
	return out
}

// try runs a verb and returns its output, its exit code and its complaints.
func (r *rig) try(args ...string) (out string, code int, stderr string) {
	r.t.Helper()
	var o, e bytes.Buffer
	cmd := r.command(args...)
	cmd.Stdout, cmd.Stderr = &o, &e
	err := cmd.Run()
	if _, ok := err.(*exec.ExitError); err != nil && !ok {
		r.t.Fatalf("berth %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSuffix(o.String(), "\n"), cmd.ProcessState.ExitCode(), strings.TrimSpace(e.String())
}

// images gives the rig the images busybox and berth/starter.
func (r *rig) images() {
	r.t.Helper()
	needBusybox(r.t)
	r.berth("image", "starter")
}

// needBusybox skips where no image can be made.
func needBusybox(t testing.TB) {
	t.Helper()
	path, err := exec.LookPath("busybox")
	if err == nil {
		_, err = starter.Open(path)
	}
	if err != nil {
		t.Skipf("no image can be made: %v (Debian: apt-get install busybox-static)", err)
	}
}

// log is what a background engine of the rig wrote.
func (r *rig) log() string {
	b, err := os.ReadFile(r.conf.LogPath())
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// processes are the PIDs whose command line or environment names this rig, and
// whose command line has word.
func (r *rig) processes(word string) []int {
	r.t.Helper()
	return processesOf(r.t, r.dir, word)
}

func processesOf(t testing.TB, dir, word string) []int {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		// A process may end while it is looked at.
		cmdline, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		environ, _ := os.ReadFile(filepath.Join("/proc", e.Name(), "environ"))
		if bytes.Contains(cmdline, []byte(word)) && (bytes.Contains(cmdline, []byte(dir)) || bytes.Contains(environ, []byte(dir))) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// engine is the PID of the engine in the background.
func (r *rig) engine() int {
	r.t.Helper()
	pids := r.processes("serve")
	if len(pids) != 1 {
		r.t.Fatalf("%d engines run: %v", len(pids), pids)
	}
	return pids[0]
}

// end leaves nothing behind.
func (r *rig) end() {
	if _, err := os.Stat(r.conf.Root); err == nil {
		r.removeContainers()
	}
	for _, pid := range r.processes("serve") {
		syscall.Kill(pid, syscall.SIGTERM)
	}
	r.until("the engine has ended", func() bool { return len(r.processes("serve")) == 0 })
	if left := r.processes(""); len(left) > 0 {
		for _, pid := range left {
			cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			r.t.Errorf("left behind: process %d: %q", pid, cmdline)
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	for _, m := range r.mounts() {
		r.t.Errorf("left behind: mount %s", m)
		syscall.Unmount(m, syscall.MNT_DETACH)
	}
	if err := os.RemoveAll(r.dir); err != nil {
		r.t.Errorf("removing the test's directory: %v", err)
	}
}

// removeContainers ends and removes whatever the test has made.
func (r *rig) removeContainers() {
	ids, code, msg := r.try("ps", "-aq", "--no-trunc")
	if code != 0 {
		r.t.Errorf("listing containers to clean up: %s", msg)
		return
	}
	if ids == "" {
		return
	}
	if _, code, msg := r.try(append([]string{"rm", "-f", "-v"}, strings.Fields(ids)...)...); code != 0 {
		r.t.Errorf("removing containers to clean up: %s", msg)
	}
}

// mounts are the mount points under the rig's directory, deepest first.
func (r *rig) mounts() []string {
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		r.t.Error(err)
		return nil
	}
	var out []string
	for _, line := range strings.Split(string(b), "\n") {
		if f := strings.Fields(line); len(f) > 4 && strings.HasPrefix(f[4], r.dir) {
			out = append([]string{f[4]}, out...)
		}
	}
	return out
}

// until waits for a condition.
func (r *rig) until(what string, cond func() bool) {
	r.t.Helper()
	end := time.Now().Add(20 * time.Second)
	for !cond() {
		if time.Now().After(end) {
			r.t.Fatalf("waited 20 s in vain until %s\nengine: %s", what, r.log())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// sum is the SHA-256 of s in hex.
func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

// freePort is an address of this machine that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// syncBuffer is a buffer that a process writes and a test reads.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
