package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// TestMain makes the test binary the runtime when it is called as one, or the
// one whose own binary is attacked.
func TestMain(m *testing.M) {
	if os.Args[0] == "berth-runtime" { // the process that holds a unit of systemd
		os.Exit(Main(os.Args))
	}
	if len(os.Args) > 1 && os.Args[1] == "runtime" {
		withoutCalls()
		os.Exit(Main(os.Args[1:]))
	}
	if len(os.Args) > 1 && os.Args[1] == "report" {
		report()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// bundle is a bundle on which commands are run.
type bundle struct {
	t         *testing.T
	dir, root string
	id        string
}

func newBundle(t *testing.T) *bundle {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("running containers needs root")
	}
	box, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("no static busybox to run")
	}
	b := &bundle{t: t, dir: t.TempDir(), id: "berth-cli-" + strconv.Itoa(os.Getpid())}
	b.root = filepath.Join(b.dir, "state")
	bin := filepath.Join(b.dir, "rootfs/bin")
	for _, d := range []string{bin, filepath.Join(b.dir, "rootfs/proc"), filepath.Join(b.dir, "rootfs/sys"), filepath.Join(b.dir, "rootfs/dev")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(box)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "busybox"), data, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, a := range []string{"sh", "true", "sleep", "echo", "cat", "ls", "id", "stty", "tty", "kill"} {
		if err := os.Symlink("busybox", filepath.Join(bin, a)); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { b.command("delete", "-f", b.id).Run() })
	return b
}

func (b *bundle) command(args ...string) *exec.Cmd {
	c := exec.Command(os.Args[0], append([]string{"runtime", "--root", b.root}, args...)...)
	c.Dir = b.dir
	return c
}

// do runs a command and returns its output and status.
func (b *bundle) do(args ...string) (stdout, stderr string, status int) {
	b.t.Helper()
	// Files, as a pipe would be waited for until a detached container ends.
	out, err1 := os.Create(filepath.Join(b.dir, "stdout"))
	errs, err2 := os.Create(filepath.Join(b.dir, "stderr"))
	if err := errors.Join(err1, err2); err != nil {
		b.t.Fatal(err)
	}
	defer out.Close()
	defer errs.Close()
	c := b.command(args...)
	c.Stdout, c.Stderr = out, errs
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		b.t.Fatalf("%v: %v", args, err)
	}
	o, err1 := os.ReadFile(out.Name())
	e, err2 := os.ReadFile(errs.Name())
	if err := errors.Join(err1, err2); err != nil {
		b.t.Fatal(err)
	}
	return string(o), string(e), c.ProcessState.ExitCode()
}

// ok runs a command that must work.
func (b *bundle) ok(args ...string) string {
	b.t.Helper()
	out, errs, status := b.do(args...)
	if status != 0 || errs != "" {
		b.t.Fatalf("%v: status %d, error output %q", args, status, errs)
	}
	return out
}

// fails runs a command that must not.
func (b *bundle) fails(status int, text string, args ...string) {
	b.t.Helper()
	_, errs, got := b.do(args...)
	if got != status || !strings.Contains(strings.ReplaceAll(errs, `\"`, `"`), text) {
		b.t.Errorf("%v: status %d, error output %q; want %d and %q", args, got, errs, status, text)
	}
}

// configure writes the spec command's config.json with changes.
func (b *bundle) configure(change func(s *specs.Spec)) {
	b.t.Helper()
	_ = os.Remove(filepath.Join(b.dir, "config.json"))
	b.ok("spec")
	b.edit(func(s *specs.Spec) {
		s.Process.Terminal = false
		change(s)
	})
}

// edit changes config.json.
func (b *bundle) edit(change func(s *specs.Spec)) {
	b.t.Helper()
	name := filepath.Join(b.dir, "config.json")
	data, err := os.ReadFile(name)
	if err != nil {
		b.t.Fatal(err)
	}
	var s specs.Spec
	if err := json.Unmarshal(data, &s); err != nil {
		b.t.Fatal(err)
	}
	change(&s)
	if data, err = json.Marshal(s); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bundle) args(args ...string) {
	b.configure(func(s *specs.Spec) { s.Process.Args = args })
}

func TestRunGivesTheStatusAndLeavesNothing(t *testing.T) {
	b := newBundle(t)
	b.args("sh", "-c", "echo out; echo err >&2; exit 7")
	out, errs, status := b.do("run", b.id)
	if out != "out\n" || errs != "err\n" || status != 7 {
		t.Errorf("output %q, %q, status %d", out, errs, status)
	}
	b.args("sh", "-c", "kill -9 $$; kill -KILL 1; exec sleep 0")
	if _, _, status := b.do("run", b.id); status != 0 {
		t.Errorf("status %d: init is proof against its own signals", status)
	}
	if out := b.ok("list", "-q"); out != "" {
		t.Errorf("left: %q", out)
	}
}

func TestLifecycle(t *testing.T) {
	b := newBundle(t)
	b.args("sleep", "1000")
	pidFile := filepath.Join(b.dir, "pid")
	b.ok("create", "--bundle", b.dir, "--pid-file", pidFile, b.id)
	pid, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	state := func(want string) {
		t.Helper()
		var s struct {
			Status, Bundle, Rootfs, ID string
			PID                        int
			Owner                      *string
		}
		if err := json.Unmarshal([]byte(b.ok("state", b.id)), &s); err != nil {
			t.Fatal(err)
		}
		if s.Status != want || s.ID != b.id || s.Bundle != b.dir || s.Rootfs != b.dir+"/rootfs" || s.Owner == nil ||
			want != "stopped" && fmt.Sprint(s.PID) != string(pid) || want == "stopped" && s.PID != 0 {
			t.Errorf("state %+v, want status %s and PID %s", s, want, pid)
		}
	}
	state("created")
	b.fails(1, "container with given ID already exists", "create", b.id)
	b.ok("start", b.id)
	state("running")
	b.fails(1, "cannot start an already running container", "start", b.id)
	b.fails(1, "that is not stopped: running", "delete", b.id)
	if out := b.ok("exec", "-e", "A=1", "--cwd", "/bin", "-u", "3:4", b.id, "sh", "-c", "echo $A; pwd; id -u; id -g"); out != "1\n/bin\n3\n4\n" {
		t.Errorf("exec: %q", out)
	}
	if _, _, status := b.do("exec", b.id, "sh", "-c", "exit 9"); status != 9 {
		t.Errorf("exec: status %d, want 9", status)
	}
	b.fails(255, `exec: "nosuch": executable file not found in $PATH`, "exec", b.id, "nosuch")
	b.fails(255, "is a directory", "exec", b.id, "/bin")
	if out := b.ok("ps", "-f", "json", b.id); strings.TrimSpace(out) != "["+string(pid)+"]" {
		t.Errorf("ps: %q", out)
	}
	b.fails(1, `unknown signal "NOPE"`, "kill", b.id, "NOPE")
	b.ok("pause", b.id)
	state("paused")
	b.ok("resume", b.id)
	b.ok("kill", b.id, "KILL")
	for deadline := time.Now().Add(10 * time.Second); strings.Contains(b.ok("state", b.id), `"running"`); {
		if time.Now().After(deadline) {
			t.Fatal("the container does not end")
		}
	}
	state("stopped")
	b.fails(1, "container not running", "kill", b.id)
	b.fails(1, "cannot start a container that has stopped", "start", b.id)
	if out := b.ok("list"); !strings.Contains(out, "stopped") || !strings.HasPrefix(out, "ID  ") {
		t.Errorf("list: %q", out)
	}
	b.ok("delete", b.id)
	b.fails(1, "container does not exist", "delete", b.id)
	b.ok("delete", "--force", b.id)
	b.fails(1, "container does not exist", "state", b.id)
}

func TestBadInput(t *testing.T) {
	b := newBundle(t)
	b.fails(1, "config.json not found", "run", b.id)
	b.args("nosuch")
	b.fails(1, `exec: "nosuch": executable file not found in $PATH`, "run", b.id)
	b.configure(func(s *specs.Spec) { s.Root.Path = "gone" })
	b.fails(1, "no root file system at "+b.dir+"/gone", "run", b.id)
	b.configure(func(s *specs.Spec) {
		s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 1, Hard: 1 << 40}}
		s.Process.Args = []string{"true"}
	})
	b.fails(1, "set RLIMIT_NOFILE to 1, at most 1099511627776: operation not permitted", "run", b.id)
	b.fails(1, "config.json exists. Remove it first", "spec")
	if err := os.WriteFile(filepath.Join(b.dir, "config.json"), []byte(`{"ociVersion":`), 0o644); err != nil {
		t.Fatal(err)
	}
	b.fails(1, "is cut off", "run", b.id)
	b.args("true")
	b.fails(1, "cannot use console socket", "run", "--console-socket", "/gone", b.id)
	b.configure(func(s *specs.Spec) { s.Process.Terminal = true })
	b.fails(1, "without setting console socket", "create", b.id)
	b.fails(1, "requires exactly 1 argument", "run")
	b.fails(1, "flag provided but not defined: -frob", "run", "--frob", b.id)
	b.fails(1, "flag needs an argument", "run", "--bundle")
	b.fails(1, "invalid container ID", "run", "a/b")
	b.fails(1, "container does not exist", "kill", b.id, "NOPE")
	b.fails(3, "No help topic for 'frobnicate'", "frobnicate")
	if left, err := os.ReadDir(b.root); err == nil && len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestLogAsJSON(t *testing.T) {
	b := newBundle(t)
	log := filepath.Join(b.dir, "log")
	b.fails(1, "container does not exist", "--log", log, "--log-format", "json", "start", b.id)
	data, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	var line struct {
		Level, Msg string
		Time       time.Time
	}
	if err := json.Unmarshal(data, &line); err != nil || line.Level != "error" || !strings.Contains(line.Msg, "container does not exist") || line.Time.IsZero() {
		t.Errorf("log %q, %v", data, err)
	}
}

// TestForegroundTerminal runs what `runc spec` writes, unchanged, as a user
// would.
func TestForegroundTerminal(t *testing.T) {
	b := newBundle(t)
	b.ok("spec")
	cmd := b.command("run", b.id)
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 21, Cols: 77})
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	if _, err := tty.WriteString("echo si''ze $(stty size) $(tty); exit 4\n"); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	_, _ = out.ReadFrom(tty) // to EIO, the end of a terminal
	err = cmd.Wait()
	if status := cmd.ProcessState.ExitCode(); status != 4 || !strings.Contains(out.String(), "size 21 77 /dev/pts/0") {
		t.Errorf("status %d (%v), output %q", status, err, out.String())
	}
}

func TestForegroundForwardsSignals(t *testing.T) {
	b := newBundle(t)
	b.args("sh", "-c", "trap 'echo got it; exit 3' TERM; echo ready; while :; do sleep 0.01; done")
	cmd := b.command("run", b.id)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64)
	n, err := out.Read(buf)
	if err != nil || string(buf[:n]) != "ready\n" {
		t.Fatalf("read %q, %v", buf[:n], err)
	}
	if err := cmd.Process.Signal(unix.SIGTERM); err != nil {
		t.Fatal(err)
	}
	n, _ = out.Read(buf)
	_ = cmd.Wait()
	if status := cmd.ProcessState.ExitCode(); string(buf[:n]) != "got it\n" || status != 3 {
		t.Errorf("output %q, status %d", buf[:n], status)
	}
}

// TestOpenFilesLimitIsInherited has a soft limit that the Go runtime raises for
// itself and the command must not see raised.
func TestOpenFilesLimitIsInherited(t *testing.T) {
	b := newBundle(t)
	b.configure(func(s *specs.Spec) {
		s.Process.Rlimits = nil
		s.Process.Args = []string{"sh", "-c", "ulimit -Sn; ulimit -Hn"}
	})
	c := exec.Command("sh", "-c", `ulimit -Sn 1000; ulimit -Hn 2000; exec "$@"`, "sh", os.Args[0], "runtime", "--root", b.root, "run", b.id)
	c.Dir = b.dir
	if out, err := c.CombinedOutput(); err != nil || string(out) != "1000\n2000\n" {
		t.Errorf("limits %q, %v; want 1000 and 2000", out, err)
	}
}

// TestOwnBinaryCannotBeReached is CVE-2019-5736: the container's command is
// /proc/self/exe, as the interpreter of a script. It must not be the runtime.
func TestOwnBinaryCannotBeReached(t *testing.T) {
	b := newBundle(t)
	if err := os.WriteFile(filepath.Join(b.dir, "rootfs/bin/evil"), []byte("#!/proc/self/exe report\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	b.args("sleep", "1000")
	b.ok("run", "-d", b.id)
	if out, errs, status := b.do("exec", b.id, "/bin/evil"); out != "" || status == 0 {
		t.Errorf("the container ran the runtime's binary: %q, %q, status %d", out, errs, status)
	}
	b.args("/bin/evil")
	if out, errs, status := b.do("run", b.id+"-2"); out != "" || status == 0 {
		t.Errorf("the container ran the runtime's binary: %q, %q, status %d", out, errs, status)
	}
}

// TestSeal is the defence where init is a fork.
func TestSeal(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounting needs root")
	}
	out, err := exec.Command(os.Args[0], "report").CombinedOutput()
	if err != nil || string(out) != "read-only file system\n" {
		t.Errorf("writing to /proc/self/exe: %q, %v", out, err)
	}
}

// report seals this process and tries to write to its binary.
func report() {
	err := seal()
	if err == nil {
		// Truncating shows a read-only mount before it shows that the file is busy.
		_, err = unix.Open("/proc/self/exe", unix.O_WRONLY|unix.O_TRUNC, 0)
	}
	fmt.Println(err)
}
