package external

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"berth/shim/wire"
)

// script is a container whose runtime is a shell script; "$log" is the log's file and
// "$verb" what is to be done.
func script(t *testing.T, text string) *Container {
	t.Helper()
	dir := t.TempDir()
	name := filepath.Join(dir, "runtime.sh")
	head := "#!/bin/sh\necho \"$@\" >>" + dir + "/calls\nlog=$5; verb=$8\n"
	if err := os.WriteFile(name, []byte(head+text), 0o700); err != nil {
		t.Fatal(err)
	}
	return New(dir, "box", wire.Runtime{Path: name, Args: []string{"--first"}, Cgroups: "/none"})
}

func (c *Container) calls(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(c.dir, "calls"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestCommands(t *testing.T) {
	c := script(t, `[ $verb != update ] || cp "${10}" limits`)
	limit := int64(5)
	if err := os.MkdirAll(filepath.Join(c.dir, stateName, "box"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		c.Start(), c.Kill(unix.SIGTERM, false), c.Kill(unix.SIGKILL, true), c.Pause(), c.Resume(),
		c.Update(&specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &limit}}), c.Delete(true), c.Delete(false),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	var got []string
	for line := range strings.Lines(c.calls(t)) {
		f := strings.Fields(line)
		if want := []string{"--first", "--root", c.dir + "/oci", "--log"}; len(f) < 8 || !slices.Equal(f[:4], want) || f[5] != "--log-format" || f[6] != "json" {
			t.Fatalf("called with %q", f)
		}
		got = append(got, strings.Join(slices.DeleteFunc(f[7:], filepath.IsAbs), " "))
	}
	want := []string{"start box", "kill box 15", "kill --all box 9", "pause box", "resume box", "update --resources box", "delete --force box", "delete box"}
	if !slices.Equal(got, want) {
		t.Errorf("called %q", got)
	}
	if b, err := os.ReadFile(filepath.Join(c.dir, "limits")); err != nil || string(b) != `{"pids":{"limit":5}}` {
		t.Errorf("limits %s, %v", b, err)
	}
	if left, err := filepath.Glob(c.dir + "/*-*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestErrors(t *testing.T) {
	for text, want := range map[string]string{
		`printf '{"level":"error","msg":"first"}\n{"level":"error","msg":"last"}\n{"level":"info","msg":"x"}\nnoise\n' >$log; exit 1`: "OCI runtime start failed: last",
		`echo loud >&2; exit 3`: "exit status 3: loud",
		`exit 3`:                "exit status 3: the runtime does not say why",
		`exit 0`:                "",
	} {
		err := script(t, text).Start()
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasSuffix(err.Error(), want) || !errors.Is(err, wire.ErrExternal)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	missing := New(t.TempDir(), "box", wire.Runtime{Path: "/nowhere/runc"})
	if err := missing.Start(); !errors.Is(err, wire.ErrExternal) || !strings.HasSuffix(err.Error(), "fork/exec /nowhere/runc: no such file or directory") {
		t.Errorf("missing: %v", err)
	}
	if err := missing.Delete(true); err != nil {
		t.Errorf("delete what there is nothing of: %v", err)
	}
}

// A process that a command left is this one's child, and what a failed one left is reaped.
func TestOrphans(t *testing.T) {
	c := script(t, `
for a; do case $last in --pid-file) file=$a;; esac; last=$a; done
sleep 0.01 & echo $! >$file
[ $verb = create ]`)
	pid, err := c.Create(Stdio{})
	if err != nil {
		t.Fatal(err)
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(pid, &status, 0, nil); err != nil || status.ExitStatus() != 0 {
		t.Errorf("%v, %v", status, err)
	}
	Forget(pid)
	if _, err := c.Exec("x", &specs.Process{Cwd: "/"}, Stdio{}); !errors.Is(err, wire.ErrExternal) {
		t.Errorf("got %v", err)
	}
	for end := time.Now().Add(10 * time.Second); len(listChildren()) > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("children that nobody reaps: %v", listChildren())
		}
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	if c, err := Open(dir, "box"); c != nil || err != nil {
		t.Errorf("berth's own: %v, %v", c, err)
	}
	want := New(dir, "box", wire.Runtime{Path: "/x", Args: []string{"-a", "b"}, Cgroups: "/c"})
	if err := want.Save(); err != nil {
		t.Fatal(err)
	}
	if got, err := Open(dir, "box"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := os.WriteFile(filepath.Join(dir, File), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, "box"); err == nil || !strings.Contains(fmt.Sprint(err), "find the runtime of container box") {
		t.Errorf("broken: %v", err)
	}
}
