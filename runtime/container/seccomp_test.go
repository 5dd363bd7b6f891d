package container

import (
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

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
