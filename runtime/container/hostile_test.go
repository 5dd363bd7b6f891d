package container

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"berth/runtime/caps"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// hostile is where the test binary is in a container, as a program that looks for
// a way out.
const hostile = "/bin/hostile"

func init() {
	if os.Args[0] != hostile {
		return
	}
	switch os.Args[1] {
	case "peek":
		pid, _ := strconv.Atoi(os.Args[2])
		fmt.Print(strings.Join(peek(pid), " "))
	case "hunt":
		hunt()
	case "user":
		fmt.Print(os.Geteuid())
	case "keyring":
		fmt.Print(keyring())
	case "session":
		sid, err := unix.Getsid(0)
		fmt.Print(sid == os.Getpid(), err)
	}
	os.Exit(0)
}

// withHostile gives the container the hostile program.
func (f *fixture) withHostile() *fixture {
	f.t.Helper()
	self, err := os.Executable()
	if err != nil {
		f.t.Fatal(err)
	}
	addMount(f.opts.Spec, hostile, "bind", self, "bind", "ro")
	return f
}

// peek tries all that shows or changes the inside of a process, and returns what
// went through.
func peek(pid int) (open []string) {
	dir := "/proc/" + strconv.Itoa(pid) + "/"
	for _, link := range []string{"exe", "cwd", "root", "ns/mnt", "fd/0"} {
		if _, err := os.Readlink(dir + link); err == nil {
			open = append(open, link)
		}
	}
	for _, file := range []string{"mem", "environ", "maps", "auxv", "exe"} {
		f, err := os.Open(dir + file)
		if err != nil {
			continue
		}
		if n, _ := f.Read(make([]byte, 1)); n > 0 || file == "mem" {
			open = append(open, "open:"+file)
		}
		f.Close()
	}
	if _, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(pid), 0, 0, 0, 0); errno == 0 {
		open = append(open, "ptrace")
		_ = unix.PtraceDetach(pid)
	}
	if fd, err := unix.PidfdOpen(pid, 0); err == nil {
		for n := range 10 {
			if got, err := unix.PidfdGetfd(fd, n, 0); err == nil {
				unix.Close(got)
				open = append(open, "getfd:"+strconv.Itoa(n))
				break
			}
		}
		unix.Close(fd)
	}
	return open
}

// hunt waits at the numbers that processes to come will have, and says so if one can
// be looked at before it is a program of the container.
func hunt() {
	fmt.Println("hunting")
	last := os.Getpid()
	for {
		for pid := last + 1; pid < last+40; pid++ {
			name := "/proc/" + strconv.Itoa(pid)
			if unix.Access(name, unix.F_OK) != nil {
				continue
			}
			for unix.Access(name, unix.F_OK) == nil {
				exe, err := os.Readlink(name + "/exe")
				if err == nil && !strings.HasPrefix(exe, "/memfd") && !strings.Contains(exe, ".test") {
					break // the joiner is through
				}
				if err == nil {
					fmt.Println("caught", exe)
					return
				}
			}
			last = pid
		}
	}
}

// almighty gives a container of a user namespace all rights in that.
func (f *fixture) almighty() *fixture {
	f.t.Helper()
	f.userNS()
	all := caps.Names()
	f.opts.Spec.Process.Capabilities = &specs.LinuxCapabilities{Bounding: all, Effective: all, Permitted: all}
	return f
}

// TestParkedInitIsClosed has a process of the same rights beside a waiting init,
// which still has descriptors of the host.
func TestParkedInitIsClosed(t *testing.T) {
	// Held by PR_SET_DUMPABLE in Program.Enter; against the root of a user namespace,
	// who may trace what is undumpable, by Fchmod in Program.Stub.
	t.Run("root", func(t *testing.T) { parked(t, newFixture(t, "true")) })
	t.Run("user namespace", func(t *testing.T) { parked(t, newFixture(t, "true").almighty()) })
	// The tries themselves work: on the command nothing of the host is left.
	f := newFixture(t).withHostile()
	if out, _ := f.exec(f.running(), hostile, "peek", "1"); !strings.Contains(out, "exe cwd root") || !strings.Contains(out, "ptrace") {
		t.Errorf("of the command can be seen: %q, want all", out)
	}
}

func parked(t *testing.T, f *fixture) {
	c := f.withHostile().create()
	if out, status := f.exec(c, hostile, "peek", "1"); out != "" || status.ExitStatus() != 0 {
		t.Errorf("of the waiting init can be seen: %s (%v)", out, status)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	f.wait(c.Init())
}

// TestJoiningProcessIsClosed lets a hostile init wait for the processes that join
// its pid namespace: it must see nothing of them before they are its own programs.
func TestJoiningProcessIsClosed(t *testing.T) {
	// Held as above, and by the rights of the joiner, which are above the container's
	// until it gives them up.
	t.Run("root", func(t *testing.T) { hunted(t, newFixture(t, hostile, "hunt")) })
	t.Run("user namespace", func(t *testing.T) { hunted(t, newFixture(t, hostile, "hunt").almighty()) })
}

func hunted(t *testing.T, f *fixture) {
	c := f.withHostile().create()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	said := func() string {
		b, err := os.ReadFile(f.out.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for end := time.Now().Add(10 * time.Second); said() == ""; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the hunt does not begin")
		}
	}
	for range 60 {
		if f.exec(c, "true"); t.Failed() || said() != "hunting\n" {
			break
		}
	}
	if out := said(); out != "hunting\n" {
		t.Errorf("the hunt says %q", out)
	}
	_ = c.Kill(unix.SIGKILL, false) // it has ended if it caught something
	f.wait(c.Init())
}

// keyring is the name of the session keyring.
func keyring() string {
	id, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, false)
	if err != nil {
		return err.Error()
	}
	about, err := unix.KeyctlString(unix.KEYCTL_DESCRIBE, id)
	if err != nil {
		return err.Error()
	}
	return strconv.Itoa(id) + about[strings.LastIndexByte(about, ';'):]
}
