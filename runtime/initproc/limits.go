package initproc

import (
	"fmt"

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

// limits sets what the kernel bounds and schedules by.
func (p *Program) limits(s *specs.Process) {
	for _, l := range s.Rlimits {
		p.Call(fmt.Sprintf("set %s to %d, at most %d", l.Type, l.Soft, l.Hard),
			unix.SYS_PRLIMIT64, 0, rlimits[l.Type], p.Words(l.Soft, l.Hard), 0)
	}
}
