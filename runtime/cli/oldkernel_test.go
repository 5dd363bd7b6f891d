package cli

import (
	"os"
	"strings"
	"testing"
	"unsafe"

	"berth/runtime/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// withoutEnv names system calls that the kernel is not to have.
const withoutEnv = "BERTH_TEST_WITHOUT"

// withoutCalls makes this process, and all it becomes, live without those.
func withoutCalls() {
	names := os.Getenv(withoutEnv)
	if names == "" {
		return
	}
	errno := uint(unix.ENOSYS)
	f, err := seccomp.Compile(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow,
		Syscalls: []specs.LinuxSyscall{{Names: strings.Split(names, ","), Action: specs.ActErrno, ErrnoRet: &errno}}})
	if err != nil {
		panic(err)
	}
	prog := unix.SockFprog{Len: uint16(len(f.Code) / 8), Filter: (*unix.SockFilter)(unsafe.Pointer(&f.Code[0]))}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog))); errno != 0 {
		panic(errno)
	}
}

// TestOldKernels runs a container and an exec where the kernel, or a filter around
// the runtime, lacks what there is another way for.
func TestOldKernels(t *testing.T) {
	b := newBundle(t)
	b.configure(func(s *specs.Spec) {
		s.Process.Args = []string{"sh", "-c", "cat /proc/sys/net/ipv4/ip_default_ttl /proc/timer_list; read x; exit 3"}
		s.Linux.Sysctl = map[string]string{"net.ipv4.ip_default_ttl": "77"}
	})
	for _, calls := range []string{"", "openat2", "keyctl,add_key,request_key", "openat2,keyctl"} {
		t.Setenv(withoutEnv, calls)
		// Held by walk in rootfs and procfs, and by hasKeyrings.
		out, errs, status := b.do("run", b.id)
		if status != 3 || out != "77\n" || errs != "" {
			t.Errorf("without %q: status %d, output %q, error output %q", calls, status, out, errs)
		}
	}
}
