package container

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	profile "github.com/moby/profiles/seccomp"
)

func TestDockersSeccompProfile(t *testing.T) {
	for _, nnp := range []bool{true, false} {
		f := newFixture(t)
		spec := f.opts.Spec
		spec.Process.NoNewPrivileges = nnp
		p, err := profile.GetDefaultProfile(spec)
		if err != nil {
			t.Fatal(err)
		}
		spec.Linux.Seccomp = p
		c := f.running()
		out, _ := f.exec(c, "sh", "-c", "grep -E '^Seccomp:' /proc/self/status /proc/1/status; unshare -u true; mount -t tmpfs x /tmp; echo still here")
		want := "/proc/self/status:Seccomp:\t2\n/proc/1/status:Seccomp:\t2\nunshare: unshare(0x4000000): Operation not permitted\nmount: permission denied (are you root?)\nstill here\n"
		if out != want {
			t.Errorf("no_new_privs %v: output %q, want %q", nnp, out, want)
		}
	}
}

// TestFilterWithoutWhatInitCalls is a profile that forbids what init itself
// needs after the filter would be installed too early.
func TestFilterWithoutWhatInitCalls(t *testing.T) {
	f := newFixture(t)
	f.opts.Spec.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{
		Names: []string{"accept4", "setsid", "capset", "recvmsg", "sendmsg", "close_range", "setresuid"}, Action: specs.ActKillProcess}}}
	f.opts.Spec.Process.Args = []string{"echo", "fine"}
	if out, status := f.run(); strings.TrimSpace(out) != "fine" || status != 0 {
		t.Errorf("output %q, status %v", out, status)
	}
}

// TestSeccompActions has each action do to mkdir what it is for.
func TestSeccompActions(t *testing.T) {
	errno := uint(unix.EXDEV)
	for _, c := range []struct {
		action specs.LinuxSeccompAction
		errno  *uint
		out    string
		signal unix.Signal
	}{
		{specs.ActAllow, nil, "made\n", 0},
		{specs.ActLog, nil, "made\n", 0},
		{specs.ActErrno, nil, "mkdir: can't create directory '/tmp/x': Operation not permitted\n", 0},
		{specs.ActErrno, &errno, "mkdir: can't create directory '/tmp/x': Invalid cross-device link\n", 0},
		{specs.ActTrace, nil, "mkdir: can't create directory '/tmp/x': Function not implemented\n", 0}, // nobody traces
		{specs.ActTrap, nil, "", unix.SIGSYS},
		{specs.ActKill, nil, "", unix.SIGSYS},
		{specs.ActKillThread, nil, "", unix.SIGSYS},
		{specs.ActKillProcess, nil, "", unix.SIGSYS},
	} {
		f := newFixture(t, "mkdir", "/tmp/x")
		f.opts.Spec.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow,
			Syscalls: []specs.LinuxSyscall{{Names: []string{"mkdir", "mkdirat"}, Action: c.action, ErrnoRet: c.errno}}}
		// Not the signals: the first process of a pid namespace is proof against its own.
		f.opts.Spec.Linux.Namespaces = slices.DeleteFunc(f.opts.Spec.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.PIDNamespace })
		out, status := f.run()
		if _, err := os.Stat(filepath.Join(f.opts.Bundle, "rootfs/tmp/x")); err == nil {
			out += "made\n"
		}
		if out != c.out || c.signal != 0 && (!status.Signaled() || status.Signal() != c.signal) {
			t.Errorf("%s: output %q, status %v; want %q and signal %v", c.action, out, status, c.out, c.signal)
		}
	}
}

// TestSeccompArguments has a condition decide.
func TestSeccompArguments(t *testing.T) {
	f := newFixture(t)
	f.opts.Spec.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{
		Names: []string{"kill"}, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{{Index: 1, Value: uint64(unix.SIGUSR1), Op: specs.OpEqualTo}}}}}
	f.want("kill -0 1 && echo fine; /bin/busybox kill -USR1 1", "fine\nkill: can't kill pid 1: Operation not permitted")
}
