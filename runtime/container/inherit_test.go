package container

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// TestNothingIsInheritable is CVE-2022-29162: with inheritable capabilities, a
// file's inheritable ones are given to whoever executes it.
func TestNothingIsInheritable(t *testing.T) {
	f := newFixture(t)
	const show = "grep -E 'Cap(Inh|Amb)' /proc/self/status | cut -f2"
	want := "0000000000000000\n0000000000000000\n"
	f.want(show, want)
	g := newFixture(t)
	c := g.running()
	// Held by Sets.Data: what is not named is not there.
	if out, _ := g.exec(c, "sh", "-c", show); out != want {
		t.Errorf("an exec has %q, want %q", out, want)
	}
	caps := &specs.LinuxCapabilities{Bounding: []string{"CAP_KILL"}, Effective: []string{"CAP_KILL"}, Permitted: []string{"CAP_KILL"}}
	if out, _ := g.execAs(c, &specs.Process{Capabilities: caps}, "sh", "-c", show); out != want {
		t.Errorf("an exec with a capability has %q, want %q", out, want)
	}
}

// execAs is exec with more of the process.
func (f *fixture) execAs(c *Container, p *specs.Process, args ...string) (string, unix.WaitStatus) {
	f.t.Helper()
	p.Args, p.Cwd, p.Env = args, "/", []string{"PATH=/bin"}
	out, err := os.Create(filepath.Join(f.opts.Bundle, "exec-out"))
	if err != nil {
		f.t.Fatal(err)
	}
	defer out.Close()
	run, err := c.Exec(context.Background(), ExecOptions{Process: p, Stdout: out, Stderr: out})
	if err != nil {
		f.t.Fatalf("exec: %v", err)
	}
	status := f.wait(run)
	b, err := os.ReadFile(out.Name())
	if err != nil {
		f.t.Fatal(err)
	}
	return string(b), status
}

// TestGroupsOfTheRuntimeAreLeft has a runtime that is in groups of the host.
func TestGroupsOfTheRuntimeAreLeft(t *testing.T) {
	f := newFixture(t)
	before, err := os.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setgroups([]int{4242, 4343}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Setgroups(before); err != nil {
			t.Error(err)
		}
	})
	f.opts.Spec.Process.User = specs.User{UID: 1000, GID: 1000}
	// Held by SYS_SETGROUPS in Program.identity.
	f.want("id -G", "1000")
	c := newFixture(t)
	if out, _ := c.execAs(c.running(), &specs.Process{User: specs.User{UID: 1000, GID: 1000}}, "id", "-G"); out != "1000\n" {
		t.Errorf("an exec is in groups %q", out)
	}
}

// TestNoNewPrivileges has a file that makes everybody root.
func TestNoNewPrivileges(t *testing.T) {
	for nnp, want := range map[bool]string{true: "1000", false: "0"} {
		f := newFixture(t, hostile, "user")
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(f.opts.Bundle, "rootfs", hostile)
		if out, err := exec.Command("cp", self, file).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if err := os.Chmod(file, 0o755|os.ModeSetuid); err != nil {
			t.Fatal(err)
		}
		f.opts.Spec.Process.User = specs.User{UID: 1000, GID: 1000}
		f.opts.Spec.Process.NoNewPrivileges = nnp
		// Held by PR_SET_NO_NEW_PRIVS in Program.Become.
		if out, _ := f.run(); out != want {
			t.Errorf("no new privileges %v: the user is %s, want %s", nnp, out, want)
		}
	}
}

// TestSessionKeyring: keys of whoever started the runtime are no business of the
// container's.
func TestSessionKeyring(t *testing.T) {
	f := newFixture(t).withHostile()
	c := f.running()
	name := "_ses." + c.ID()
	// Held by KEYCTL_JOIN_SESSION_KEYRING in Program.Become.
	first, _ := f.exec(c, hostile, "keyring")
	if !strings.HasSuffix(first, ";"+name) {
		t.Errorf("session keyring %q, want one named %q", first, name)
	}
	if again, _ := f.exec(c, hostile, "keyring"); again != first {
		t.Errorf("session keyring %q, that of another exec was %q", again, first)
	}
	g := newFixture(t, hostile, "keyring").withHostile()
	g.opts.NoNewKeyring = true
	if out, _ := g.run(); strings.Contains(out, "_ses."+g.opts.ID) {
		t.Errorf("with NoNewKeyring the session keyring is %q", out)
	}
}

// TestOwnSession: in the session of its caller, a process could put characters
// into the input of the caller's terminal (TIOCSTI).
func TestOwnSession(t *testing.T) {
	f := newFixture(t, hostile, "session").withHostile()
	// Held by SETSID in Program.Become.
	if out, _ := f.run(); out != "true <nil>" {
		t.Errorf("the command leads its session: %s", out)
	}
	g := newFixture(t).withHostile()
	if out, _ := g.exec(g.running(), hostile, "session"); out != "true <nil>" {
		t.Errorf("an exec leads its session: %s", out)
	}
}

// TestNullStaysRoots: standard streams are given to the command's user, but not the
// host's null device.
func TestNullStaysRoots(t *testing.T) {
	f := newFixture(t, "sh", "-c", "stat -Lc %u /dev/stdin /dev/stdout")
	f.opts.Spec.Process.User = specs.User{UID: 1000, GID: 1000}
	t.Cleanup(func() { _ = os.Chown("/dev/null", 0, 0) })
	// Held by SetFiles, which tells the null device apart.
	if out, _ := f.run(); out != "0\n1000\n" {
		t.Errorf("owners of stdin and stdout: %q", out)
	}
	var st unix.Stat_t
	if err := unix.Stat("/dev/null", &st); err != nil || st.Uid != 0 {
		t.Errorf("/dev/null belongs to %d, %v", st.Uid, err)
	}
}

// TestExeIsNothingOfTheHosts is CVE-2019-5736: the program of a waiting init, and
// of a command that is its own /proc/self/exe, is no file of the host's, and nobody
// can write it, not even with the host's rights and when it no longer runs.
func TestExeIsNothingOfTheHosts(t *testing.T) {
	f := newFixture(t, "/bin/evil")
	if err := os.WriteFile(filepath.Join(f.opts.Bundle, "rootfs/bin/evil"), []byte("#!/proc/self/exe\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	c := f.create()
	exe := "/proc/" + strconv.Itoa(c.Init().PID()) + "/exe"
	if at, err := os.Readlink(exe); err != nil || at != "/memfd:berth-init (deleted)" {
		t.Errorf("the waiting init is %s, %v", at, err)
	}
	held, err := os.Open(exe)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if s := f.wait(c.Init()); s.ExitStatus() != 1 {
		t.Errorf("init executed once more: %v", s)
	}
	w, err := os.OpenFile("/proc/self/fd/"+strconv.Itoa(int(held.Fd())), os.O_WRONLY, 0)
	if err == nil {
		_, err = w.WriteString("evil")
		w.Close()
	}
	// Held by the seals of Program.Stub.
	if err == nil {
		t.Error("the program of init can be written")
	}
}

// TestDirectoryHandedIn is CVE-2024-21626 with a descriptor that the caller wants
// in the container: it may be there, but not be where the command begins.
func TestDirectoryHandedIn(t *testing.T) {
	host, err := os.Open("/")
	if err != nil {
		t.Fatal(err)
	}
	defer host.Close()
	f := newFixture(t, "true")
	f.opts.ExtraFiles = []*os.File{host}
	f.opts.Spec.Process.Cwd = "/proc/self/fd/3"
	// Held by RESOLVE_NO_MAGICLINKS in the walk to it.
	if _, err := Create(context.Background(), f.opts); err == nil || !strings.Contains(err.Error(), "process.cwd: open /proc/self") {
		t.Errorf("create: %v", err)
	}
	g := newFixture(t)
	p := &specs.Process{Args: []string{"ls"}, Cwd: "/proc/self/fd/3", Env: []string{"PATH=/bin"}}
	// Held by nrInside in Program.workingDirectory.
	_, err = g.running().Exec(context.Background(), ExecOptions{Process: p, ExtraFiles: []*os.File{host}})
	if err == nil || !strings.Contains(err.Error(), "is outside the container") {
		t.Errorf("exec: %v", err)
	}
}
