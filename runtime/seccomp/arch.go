package seccomp

import (
	"runtime"
	"sort"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// table is the system calls of an architecture by name, sorted.
type table []struct {
	name   string
	number uint32
}

func (t table) find(name string) (uint32, bool) {
	i := sort.Search(len(t), func(i int) bool { return t[i].name >= name })
	if i < len(t) && t[i].name == name {
		return t[i].number, true
	}
	return 0, false
}

// arch is one system call interface of the kernel.
type arch struct {
	name  specs.Arch
	audit uint32 // AUDIT_ARCH_*, in seccomp_data.arch
	calls table
	// x32 shares the audit number and most calls of x86-64 and is told by a bit
	// in the number; the calls that differ are in renumbered.
	bit        uint32
	renumbered map[string]uint32
}

// number finds a call; ok is false if the architecture does not have it.
func (a arch) number(name string) (n uint32, ok bool) {
	if n, ok = a.renumbered[name]; ok {
		return a.bit | n, true
	}
	n, ok = a.calls.find(name)
	return a.bit | n, ok
}

// arches are the interfaces of the kernel that runs Go programs of a GOARCH, the
// program's own first.
func arches(goarch string, tables map[string]table) []arch {
	switch goarch {
	case "amd64":
		own := arch{name: specs.ArchX86_64, audit: unix.AUDIT_ARCH_X86_64, calls: tables["amd64"]}
		return []arch{own,
			{name: specs.ArchX86, audit: unix.AUDIT_ARCH_I386, calls: tables["386"]},
			{name: specs.ArchX32, audit: own.audit, calls: own.calls, bit: 1 << 30, renumbered: x32}}
	case "arm64":
		return []arch{{name: specs.ArchAARCH64, audit: unix.AUDIT_ARCH_AARCH64, calls: tables["arm64"]},
			{name: specs.ArchARM, audit: unix.AUDIT_ARCH_ARM, calls: tables["arm"], renumbered: arm}}
	case "riscv64":
		return []arch{{name: specs.ArchRISCV64, audit: unix.AUDIT_ARCH_RISCV64, calls: tables["riscv64"]}}
	case "ppc64le":
		return []arch{{name: specs.ArchPPC64LE, audit: unix.AUDIT_ARCH_PPC64LE, calls: tables["ppc64le"]}}
	case "s390x":
		return []arch{{name: specs.ArchS390X, audit: unix.AUDIT_ARCH_S390X, calls: tables["s390x"]}}
	}
	return nil
}

var native = arches(runtime.GOARCH, tables)

// x32 are the calls whose 32-bit pointers in memory need entries of their own
// (arch/x86/entry/syscalls/syscall_64.tbl).
var x32 = map[string]uint32{
	"rt_sigaction": 512, "rt_sigreturn": 513, "ioctl": 514, "readv": 515, "writev": 516, "recvfrom": 517, "sendmsg": 518,
	"recvmsg": 519, "execve": 520, "ptrace": 521, "rt_sigpending": 522, "rt_sigtimedwait": 523, "rt_sigqueueinfo": 524,
	"sigaltstack": 525, "timer_create": 526, "mq_notify": 527, "kexec_load": 528, "waitid": 529, "set_robust_list": 530,
	"get_robust_list": 531, "vmsplice": 532, "move_pages": 533, "preadv": 534, "pwritev": 535, "rt_tgsigqueueinfo": 536,
	"recvmmsg": 537, "sendmmsg": 538, "process_vm_readv": 539, "process_vm_writev": 540, "setsockopt": 541,
	"getsockopt": 542, "io_setup": 543, "io_submit": 544, "execveat": 545, "preadv2": 546, "pwritev2": 547,
}

// privateBase is where the private calls of 32-bit ARM begin (__ARM_NR_BASE). They
// say nothing of how new the others are.
const privateBase = 0x0f0000

// arm are the calls of 32-bit ARM that the tables of Go lack, with which every
// program there starts (set_tls), and a second name.
var arm = map[string]uint32{
	"breakpoint": privateBase + 1, "cacheflush": privateBase + 2, "usr26": privateBase + 3, "usr32": privateBase + 4,
	"set_tls": privateBase + 5, "sync_file_range2": 341,
}

// known are all architectures of the specification.
var known = []specs.Arch{
	specs.ArchX86, specs.ArchX86_64, specs.ArchX32, specs.ArchARM, specs.ArchAARCH64, specs.ArchMIPS, specs.ArchMIPS64,
	specs.ArchMIPS64N32, specs.ArchMIPSEL, specs.ArchMIPSEL64, specs.ArchMIPSEL64N32, specs.ArchPPC, specs.ArchPPC64,
	specs.ArchPPC64LE, specs.ArchS390, specs.ArchS390X, specs.ArchPARISC, specs.ArchPARISC64, specs.ArchRISCV64,
	specs.ArchLOONGARCH64, specs.ArchM68K, specs.ArchSH, specs.ArchSHEB,
}

// Architectures are those whose system calls a filter can name on this machine.
func Architectures() []specs.Arch {
	var list []specs.Arch
	for _, a := range native {
		list = append(list, a.name)
	}
	return list
}
