package initproc

import (
	"fmt"
	"slices"
	"sync"
	"syscall"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

var rlimits = map[string]int{
	"RLIMIT_AS":         unix.RLIMIT_AS,
	"RLIMIT_CORE":       unix.RLIMIT_CORE,
	"RLIMIT_CPU":        unix.RLIMIT_CPU,
	"RLIMIT_DATA":       unix.RLIMIT_DATA,
	"RLIMIT_FSIZE":      unix.RLIMIT_FSIZE,
	"RLIMIT_LOCKS":      unix.RLIMIT_LOCKS,
	"RLIMIT_MEMLOCK":    unix.RLIMIT_MEMLOCK,
	"RLIMIT_MSGQUEUE":   unix.RLIMIT_MSGQUEUE,
	"RLIMIT_NICE":       unix.RLIMIT_NICE,
	"RLIMIT_NOFILE":     unix.RLIMIT_NOFILE,
	"RLIMIT_NPROC":      unix.RLIMIT_NPROC,
	"RLIMIT_RSS":        unix.RLIMIT_RSS,
	"RLIMIT_RTPRIO":     unix.RLIMIT_RTPRIO,
	"RLIMIT_RTTIME":     unix.RLIMIT_RTTIME,
	"RLIMIT_SIGPENDING": unix.RLIMIT_SIGPENDING,
	"RLIMIT_STACK":      unix.RLIMIT_STACK,
}

// CheckLimits refuses limits that no kernel could set.
func CheckLimits(s *specs.Process) error {
	seen := map[string]bool{}
	for _, l := range s.Rlimits {
		switch {
		case rlimits[l.Type] == 0 && l.Type != "RLIMIT_CPU":
			return fmt.Errorf("process.rlimits: unknown limit %q: %w", l.Type, errdefs.ErrInvalidArgument)
		case seen[l.Type]:
			return fmt.Errorf("process.rlimits: %s is given twice: %w", l.Type, errdefs.ErrInvalidArgument)
		case l.Soft > l.Hard:
			return fmt.Errorf("process.rlimits: %s: soft limit %d is above the hard limit %d: %w", l.Type, l.Soft, l.Hard, errdefs.ErrInvalidArgument)
		}
		seen[l.Type] = true
	}
	return nil
}

// inherited is the limit on open files that this process was started with and
// the command has to inherit. The Go runtime raised the soft one for itself at
// start and keeps the old value to itself; it restores it right before an execve,
// even if that then fails.
var inherited = sync.OnceValue(func() specs.POSIXRlimit {
	var raised, original unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &raised); err != nil {
		return specs.POSIXRlimit{Type: "RLIMIT_NOFILE", Soft: 1024, Hard: 4096} // the kernel's own
	}
	_ = syscall.Exec("", nil, nil)
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &original); err != nil {
		original = raised
	}
	// This process goes on as before.
	_ = unix.Setrlimit(unix.RLIMIT_NOFILE, &raised)
	return specs.POSIXRlimit{Type: "RLIMIT_NOFILE", Soft: original.Cur, Hard: original.Max}
})

// limits sets what the kernel bounds and schedules by.
func (p *Program) limits(s *specs.Process) {
	list := s.Rlimits
	if !slices.ContainsFunc(list, func(l specs.POSIXRlimit) bool { return l.Type == "RLIMIT_NOFILE" }) {
		list = append(list[:len(list):len(list)], inherited())
	}
	for _, l := range list {
		p.Call(fmt.Sprintf("process.rlimits: set %s to %d, at most %d", l.Type, l.Soft, l.Hard),
			unix.SYS_PRLIMIT64, 0, rlimits[l.Type], p.Words(l.Soft, l.Hard), 0)
	}
}
