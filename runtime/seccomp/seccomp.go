// Package seccomp compiles the seccomp profiles of OCI specs to classic BPF, the
// machine language that seccomp(2) takes, without libseccomp.
//
// A compiled filter first tells the architectures apart (a 64-bit kernel also
// runs 32-bit programs, whose system calls have other numbers), then finds the
// system call by binary search over ranges of numbers that have the same
// outcome, and tests arguments only where a rule asks for it. The instructions
// used before that are the ones that the kernel can evaluate ahead of time
// (Linux 5.11, seccomp_cache_prepare), so that an allowed call without argument
// rules costs next to nothing.
//
// What libseccomp and runc do where the specification is silent is done here:
// names that the architecture does not have are skipped; an architecture that
// the profile does not list is killed; and, unless calls are allowed by default,
// those that are newer than all the profile names fail with ENOSYS, so that the
// C library falls back to the older ones it knows to be safe.
package seccomp

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Filter is a compiled profile: struct sock_filter in a row, eight bytes each,
// and the flags for seccomp(2).
type Filter struct {
	Code  []byte
	Flags uint
	// Of a filter that notifies (SCMP_ACT_NOTIFY): the unix socket of the agent that
	// gets the listener, and what the agent is told with it.
	ListenerPath, ListenerMetadata string
}

// Notifies tells whether installing the filter gives a listener.
func (f Filter) Notifies() bool { return f.Flags&unix.SECCOMP_FILTER_FLAG_NEW_LISTENER != 0 }

// maxInsns is what the kernel takes (BPF_MAXINSNS).
const maxInsns = 4096

// Compile compiles linux.seccomp of a spec; nil gives the empty filter.
func Compile(s *specs.LinuxSeccomp) (Filter, error) {
	if s == nil {
		return Filter{}, nil
	}
	f, err := compile(s, native)
	if err != nil {
		return Filter{}, fmt.Errorf("linux.seccomp: %w", err)
	}
	notifies, err := checkNotify(s)
	if err != nil {
		return Filter{}, fmt.Errorf("linux.seccomp: %w", err)
	}
	flags, err := parseFlags(s, notifies)
	if err != nil {
		return Filter{}, fmt.Errorf("linux.seccomp: %w", err)
	}
	var code []byte
	for _, i := range f {
		code = binary.NativeEndian.AppendUint16(code, i.Code)
		code = append(code, i.Jt, i.Jf)
		code = binary.NativeEndian.AppendUint32(code, i.K)
	}
	filter := Filter{Code: code, Flags: flags}
	if notifies {
		filter.ListenerPath, filter.ListenerMetadata = s.ListenerPath, s.ListenerMetadata
	}
	return filter, nil
}

// checkNotify tells whether the profile leaves calls to an agent. It may not do so
// with the call by which init hands over the listener.
func checkNotify(s *specs.LinuxSeccomp) (notifies bool, err error) {
	if s.DefaultAction == specs.ActNotify {
		return false, fmt.Errorf("defaultAction: %s cannot be the default, as init itself would wait for the agent: %w", s.DefaultAction, errdefs.ErrInvalidArgument)
	}
	for i, r := range s.Syscalls {
		if r.Action != specs.ActNotify {
			continue
		}
		if slices.Contains(r.Names, "write") {
			return false, fmt.Errorf("syscalls[%d]: %s cannot be used for the write syscall, by which init says that the agent is needed: %w", i, r.Action, errdefs.ErrInvalidArgument)
		}
		notifies = true
	}
	if notifies && s.ListenerPath == "" {
		return false, fmt.Errorf("listenerPath: %s needs the unix socket of an agent: %w", specs.ActNotify, errdefs.ErrInvalidArgument)
	}
	return notifies, nil
}

func parseFlags(s *specs.LinuxSeccomp, notifies bool) (uint, error) {
	var flags uint
	if notifies {
		flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
	}
	if s.Flags == nil {
		// The mitigation for speculative store bypass would slow down everything
		// for what a container's processes can do to themselves only.
		return flags | unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, nil
	}
	for _, f := range s.Flags {
		switch f {
		case specs.LinuxSeccompFlagLog:
			flags |= unix.SECCOMP_FILTER_FLAG_LOG
		case specs.LinuxSeccompFlagSpecAllow:
			flags |= unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW
		case "SECCOMP_FILTER_FLAG_TSYNC":
			// There is one thread.
		case specs.LinuxSeccompFlagWaitKillableRecv:
			// The kernel takes it with a listener only, without which it says nothing.
			if notifies {
				flags |= unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
			}
		default:
			return 0, fmt.Errorf("flags: unknown flag %q: %w", f, errdefs.ErrInvalidArgument)
		}
	}
	return flags, nil
}

// verdict is what a filter returns (SECCOMP_RET_*).
func verdict(a specs.LinuxSeccompAction, errno *uint) (uint32, error) {
	data := uint32(unix.EPERM)
	if errno != nil {
		if *errno > 0xffff {
			return 0, fmt.Errorf("errno %d is out of range: %w", *errno, errdefs.ErrInvalidArgument)
		}
		data = uint32(*errno)
	}
	switch a {
	case specs.ActErrno:
		return unix.SECCOMP_RET_ERRNO | data, nil
	case specs.ActTrace:
		return unix.SECCOMP_RET_TRACE | data, nil
	}
	if errno != nil {
		return 0, fmt.Errorf("action %s takes no errno: %w", a, errdefs.ErrInvalidArgument)
	}
	switch a {
	case specs.ActKill, specs.ActKillThread:
		return unix.SECCOMP_RET_KILL_THREAD, nil
	case specs.ActKillProcess:
		return unix.SECCOMP_RET_KILL_PROCESS, nil
	case specs.ActTrap:
		return unix.SECCOMP_RET_TRAP, nil
	case specs.ActAllow:
		return unix.SECCOMP_RET_ALLOW, nil
	case specs.ActLog:
		return unix.SECCOMP_RET_LOG, nil
	case specs.ActNotify:
		return unix.SECCOMP_RET_USER_NOTIF, nil
	}
	return 0, fmt.Errorf("unknown action %q: %w", a, errdefs.ErrInvalidArgument)
}

// compile compiles for the machine's architectures, the first of which is its
// own.
func compile(s *specs.LinuxSeccomp, machine []arch) ([]unix.SockFilter, error) {
	byDefault, err := verdict(s.DefaultAction, s.DefaultErrnoRet)
	if err != nil {
		return nil, fmt.Errorf("defaultAction: %w", err)
	}
	entries := make([]entry, len(s.Syscalls))
	for i, r := range s.Syscalls {
		rules, err := parseRule(r)
		if err != nil {
			return nil, fmt.Errorf("syscalls[%d]: %w", i, err)
		}
		entries[i] = entry{r.Names, rules}
	}
	listed, err := selectArches(s.Architectures, machine)
	if err != nil {
		return nil, err
	}
	var c code
	c.load(offsetArch)
	for len(listed) > 0 {
		// All with one audit number go together: x32 has that of x86-64.
		audit := listed[0].audit
		var section code
		var rest, same []arch
		for _, a := range listed {
			if a.audit == audit {
				same = append(same, a)
			} else {
				rest = append(rest, a)
			}
		}
		listed = rest
		section.load(offsetNumber)
		section.tree(outcomes(entries, same, byDefault))
		c.unlessEqual(audit, section.insns)
	}
	c.ret(unix.SECCOMP_RET_KILL_THREAD)
	if len(c.insns) > maxInsns {
		return nil, fmt.Errorf("the filter has %d instructions, and the kernel takes %d: %w", len(c.insns), maxInsns, errdefs.ErrInvalidArgument)
	}
	return c.insns, nil
}

// selectArches picks the architectures of the profile that the machine has. Its
// own is always among them.
func selectArches(names []specs.Arch, machine []arch) ([]arch, error) {
	listed := []arch{machine[0]}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("unknown architecture %q: %w", name, errdefs.ErrInvalidArgument)
		}
		for _, a := range machine[1:] {
			if a.name == name && !slices.ContainsFunc(listed, func(b arch) bool { return a.name == b.name }) {
				listed = append(listed, a)
			}
		}
	}
	return listed, nil
}
