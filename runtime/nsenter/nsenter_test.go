package nsenter

import (
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"berth/runtime/initproc"
	"berth/runtime/sync"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// result is what a child wrote to its pipe, what it reported, and its status.
type result struct {
	wrote   string
	message sync.Message
	err     error
	status  unix.WaitStatus
}

// both runs the program in the two ways that there are.
func both(t *testing.T, build func(p *initproc.Program, pipe int), check func(t *testing.T, p *initproc.Program, r result)) {
	t.Helper()
	for _, stub := range []bool{true, false} {
		t.Run("stub "+strconv.FormatBool(stub), func(t *testing.T) {
			if stub && !initproc.HasStub() {
				t.Skip("init is a fork on this machine")
			}
			p, err := initproc.New(1 << 16)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Free()
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(pair[0])
			p.ReportTo(pair[1])
			build(p, int(w.Fd()))
			var program *os.File
			if stub {
				if program, err = p.Stub(); err != nil {
					t.Fatal(err)
				}
				defer program.Close()
			}
			var pid int
			err = Builder(func() error {
				var pidfd *os.File
				var err error
				if pid, pidfd, err = Fork(p, program, []int{pair[1], int(w.Fd())}, 0, -1); err == nil {
					pidfd.Close()
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			w.Close()
			unix.Close(pair[1])
			var res result
			wrote, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			res.wrote = string(wrote)
			res.message, res.err = sync.Receive(pair[0], nil)
			if _, err := unix.Wait4(pid, &res.status, 0, nil); err != nil {
				t.Fatal(err)
			}
			check(t, p, res)
		})
	}
}

func TestRegistersCarryResults(t *testing.T) {
	both(t, func(p *initproc.Program, pipe int) {
		fd := p.Reg(-1)
		p.Store("copy the pipe", fd, unix.SYS_FCNTL, pipe, unix.F_DUPFD, 77)
		p.Call("write", unix.SYS_WRITE, fd, p.String("through the copy"), 16)
		p.Try("", unix.SYS_CLOSE, 9999)
		p.Expect("write", 3, unix.SYS_WRITE, 77, p.String("and"), 3)
		p.Expect("write", 99, unix.SYS_WRITE, 77, p.String("!"), 1)
		p.Call("write", unix.SYS_WRITE, 77, p.String("not this"), 8)
	}, func(t *testing.T, p *initproc.Program, r result) {
		if r.wrote != "through the copyand!" || !errors.Is(r.err, io.EOF) || r.status.ExitStatus() != 1 {
			t.Errorf("%+v", r)
		}
	})
}

func TestFailureNamesTheStep(t *testing.T) {
	both(t, func(p *initproc.Program, pipe int) {
		p.Call("fine", unix.SYS_GETPID)
		p.Call("close what is not open", unix.SYS_CLOSE, 9999)
		p.Call("write", unix.SYS_WRITE, pipe, p.String("not this"), 8)
	}, func(t *testing.T, p *initproc.Program, r result) {
		err := p.Describe(r.message.Step, r.message.Errno)
		if r.wrote != "" || r.err != nil || r.message.Kind != sync.Failed || !errors.Is(err, unix.EBADF) ||
			err.Error() != "close what is not open: bad file descriptor" || r.status.ExitStatus() != 1 {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func TestExecTriesThePlaces(t *testing.T) {
	plain := t.TempDir() + "/plain"
	if err := os.WriteFile(plain, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	places := func(list ...string) func(p *initproc.Program, pipe int) {
		return func(p *initproc.Program, pipe int) {
			p.Call("", unix.SYS_DUP3, pipe, 1, 0)
			p.Exec(list, []string{"sh", "-c", "echo $X; exit 5"}, []string{"X=ran"})
		}
	}
	both(t, places("/nowhere/sh", plain, "/bin/sh", "/bin/false"), func(t *testing.T, p *initproc.Program, r result) {
		if r.wrote != "ran\n" || !errors.Is(r.err, io.EOF) || r.status.ExitStatus() != 5 {
			t.Errorf("%+v", r)
		}
	})
	for _, c := range []struct {
		list   []string
		errno  unix.Errno
		status int
	}{
		{[]string{"/nowhere/sh", "/nowhere/else"}, unix.ENOENT, 127},
		{[]string{plain, "/nowhere/sh"}, unix.EACCES, 126},
		{[]string{"/nowhere/sh", plain}, unix.EACCES, 126},
	} {
		both(t, places(c.list...), func(t *testing.T, p *initproc.Program, r result) {
			if r.message.Kind != sync.Refused || r.message.Errno != c.errno || r.status.ExitStatus() != c.status {
				t.Errorf("%v: %+v", c.list, r)
			}
		})
	}
}

func TestBuilderLeavesTheProcessAlone(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("making namespaces needs root")
	}
	before, err := os.Readlink("/proc/self/ns/uts")
	if err != nil {
		t.Fatal(err)
	}
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	ns, err := Parse([]specs.LinuxNamespace{{Type: "uts"}, {Type: "mount"}, {Type: "network"}, {Type: "pid"}})
	if err != nil {
		t.Fatal(err)
	}
	err = Builder(func() error {
		if unix.Gettid() == unix.Getpid() {
			t.Error("the builder is the first thread")
		}
		if _, err := ns.Enter(Settings{}); err != nil {
			return err
		}
		if err := LoopbackUp(); err != nil {
			return err
		}
		unix.Umask(0o123)
		return errors.Join(unix.Sethostname([]byte("elsewhere")), unix.Chdir("/proc"))
	})
	if err != nil {
		t.Fatal(err)
	}
	after, err := os.Readlink("/proc/self/ns/uts")
	if now, herr := os.Hostname(); err != nil || herr != nil || after != before || now != name {
		t.Errorf("the process is in %s as %s, was in %s as %s (%v, %v)", after, now, before, name, err, herr)
	}
	if wd, err := os.Getwd(); err != nil || wd == "/proc" {
		t.Errorf("working directory %s, %v", wd, err)
	}
	if ns.CloneFlags() != unix.CLONE_NEWPID || ns.New(specs.CgroupNamespace) || !ns.Own(specs.UTSNamespace) {
		t.Errorf("namespaces %+v", ns)
	}
}

func TestParseRefuses(t *testing.T) {
	for text, list := range map[string][]specs.LinuxNamespace{
		"unknown type":    {{Type: "weather"}},
		"given twice":     {{Type: "uts"}, {Type: "uts", Path: "/proc/self/ns/uts"}},
		"is not absolute": {{Type: "uts", Path: "ns/uts"}},
	} {
		if _, err := Parse(list); !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), text) {
			t.Errorf("error %v, want %q in it", err, text)
		}
	}
}
