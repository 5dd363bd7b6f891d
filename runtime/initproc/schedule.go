package initproc

import (
	"fmt"
	"strconv"
	"strings"
	"unsafe"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// schedISO is the number that sched_setattr(2) reserves for SCHED_ISO.
const schedISO = 4

var policies = map[specs.LinuxSchedulerPolicy]uint32{
	specs.SchedOther: unix.SCHED_NORMAL, specs.SchedFIFO: unix.SCHED_FIFO, specs.SchedRR: unix.SCHED_RR,
	specs.SchedBatch: unix.SCHED_BATCH, specs.SchedISO: schedISO, specs.SchedIdle: unix.SCHED_IDLE,
	specs.SchedDeadline: unix.SCHED_DEADLINE,
}

var policyFlags = map[specs.LinuxSchedulerFlag]uint64{
	specs.SchedFlagResetOnFork: unix.SCHED_FLAG_RESET_ON_FORK, specs.SchedFlagReclaim: unix.SCHED_FLAG_RECLAIM,
	specs.SchedFlagDLOverrun: unix.SCHED_FLAG_DL_OVERRUN, specs.SchedFlagKeepPolicy: unix.SCHED_FLAG_KEEP_POLICY,
	specs.SchedFlagKeepParams: unix.SCHED_FLAG_KEEP_PARAMS, specs.SchedFlagUtilClampMin: unix.SCHED_FLAG_UTIL_CLAMP_MIN,
	specs.SchedFlagUtilClampMax: unix.SCHED_FLAG_UTIL_CLAMP_MAX,
}

// ioClasses are IOPRIO_CLASS_* of linux/ioprio.h, which golang.org/x/sys has not.
var ioClasses = map[specs.IOPriorityClass]int{specs.IOPRIO_CLASS_RT: 1, specs.IOPRIO_CLASS_BE: 2, specs.IOPRIO_CLASS_IDLE: 3}

const (
	ioClassShift = 13
	ioWhoProcess = 1
)

// CheckSchedule refuses scheduling that no kernel could give the process.
func CheckSchedule(s *specs.Process) error {
	if s.Scheduler != nil {
		if err := checkScheduler(s.Scheduler); err != nil {
			return fmt.Errorf("process.scheduler.%w: %w", err, errdefs.ErrInvalidArgument)
		}
	}
	if p := s.IOPriority; p != nil {
		switch {
		case ioClasses[p.Class] == 0:
			return fmt.Errorf("process.ioPriority.class: unknown class %q: %w", p.Class, errdefs.ErrInvalidArgument)
		case p.Priority < 0 || p.Priority > 7:
			return fmt.Errorf("process.ioPriority.priority: %d is not from 0 to 7: %w", p.Priority, errdefs.ErrInvalidArgument)
		}
	}
	if a := s.ExecCPUAffinity; a != nil {
		if _, err := CPUMask(a.Initial); err != nil {
			return fmt.Errorf("process.execCPUAffinity.initial: %w", err)
		}
		if _, err := CPUMask(a.Final); err != nil {
			return fmt.Errorf("process.execCPUAffinity.final: %w", err)
		}
	}
	return nil
}

func checkScheduler(s *specs.Scheduler) error {
	if _, ok := policies[s.Policy]; !ok {
		return fmt.Errorf("policy: unknown policy %q", s.Policy)
	}
	for _, f := range s.Flags {
		if policyFlags[f] == 0 {
			return fmt.Errorf("flags: unknown flag %q", f)
		}
	}
	switch timeShared := s.Policy == specs.SchedOther || s.Policy == specs.SchedBatch; {
	case timeShared && (s.Nice < -20 || s.Nice > 19):
		return fmt.Errorf("nice: %d is not from -20 to 19", s.Nice)
	case s.Priority != 0 && s.Policy != specs.SchedFIFO && s.Policy != specs.SchedRR:
		return fmt.Errorf("priority: only SCHED_FIFO and SCHED_RR have one, not %s", s.Policy)
	case s.Runtime|s.Deadline|s.Period != 0 && s.Policy != specs.SchedDeadline:
		return fmt.Errorf("runtime: only SCHED_DEADLINE has a runtime, deadline and period, not %s", s.Policy)
	}
	return nil
}

// schedule gives the process its place on the CPUs and disks, while it may still
// take any.
func (p *Program) schedule(c *Process) {
	if a := c.Spec.ExecCPUAffinity; a != nil && c.Listen < 0 {
		// Without a final list an exec is freed from the initial one: the kernel
		// narrows all CPUs to those of the cgroup.
		step, cpus := "process.execCPUAffinity.final: run on all CPUs", allCPUs()
		if a.Final != "" {
			step = "process.execCPUAffinity.final: run on CPUs " + a.Final
			cpus, _ = CPUMask(a.Final) // checked by CheckSchedule
		}
		p.Call(step, unix.SYS_SCHED_SETAFFINITY, 0, 8*len(cpus), p.Words(cpus...))
	}
	if s := c.Spec.Scheduler; s != nil {
		attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: policies[s.Policy], Nice: s.Nice, Priority: uint32(s.Priority),
			Runtime: s.Runtime, Deadline: s.Deadline, Period: s.Period}
		for _, f := range s.Flags {
			attr.Flags |= policyFlags[f]
		}
		b := unsafe.Slice((*byte)(unsafe.Pointer(&attr)), unix.SizeofSchedAttr)
		step := "process.scheduler: run as " + string(s.Policy)
		if s.Policy == specs.SchedFIFO || s.Policy == specs.SchedRR {
			step += ", for which a cgroup of v1 must have linux.resources.cpu.realtimeRuntime"
		}
		p.Call(step, unix.SYS_SCHED_SETATTR, 0, p.Bytes(b), 0)
	}
	if io := c.Spec.IOPriority; io != nil {
		p.Call(fmt.Sprintf("process.ioPriority: set it to %s %d", io.Class, io.Priority),
			unix.SYS_IOPRIO_SET, ioWhoProcess, 0, ioClasses[io.Class]<<ioClassShift|io.Priority)
	}
}

// What a kernel can be built for at most (CONFIG_NR_CPUS, CONFIG_NODES_SHIFT).
const (
	maxCPUs  = 8192
	maxNodes = 1024
)

func allCPUs() []uint64 {
	m := make([]uint64, maxCPUs/64)
	for i := range m {
		m[i] = ^uint64(0)
	}
	return m
}

// CPUMask reads a list of CPUs as a bit mask, as mask does.
func CPUMask(list string) ([]uint64, error) { return mask(list, maxCPUs) }

// mask reads a list of CPUs or memory nodes, such as "0-3,7", as a bit mask of
// limit bits (cpuset(7), "List Format"). The empty list is a nil mask.
func mask(list string, limit uint64) ([]uint64, error) {
	if list == "" {
		return nil, nil
	}
	bits := make([]uint64, limit/64)
	for part := range strings.SplitSeq(list, ",") {
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		first, err := strconv.ParseUint(low, 10, 32)
		last, lerr := strconv.ParseUint(high, 10, 32)
		if err != nil || lerr != nil || first > last || last >= limit {
			return nil, fmt.Errorf("%q is no list of numbers and ranges below %d, such as 0-3,7: %w", list, limit, errdefs.ErrInvalidArgument)
		}
		for n := first; n <= last; n++ {
			bits[n/64] |= 1 << (n % 64)
		}
	}
	return bits, nil
}

// SetAffinity puts the calling thread onto the CPUs of a mask.
func SetAffinity(cpus []uint64) error {
	_, _, errno := unix.RawSyscall(unix.SYS_SCHED_SETAFFINITY, 0, uintptr(8*len(cpus)), uintptr(unsafe.Pointer(&cpus[0])))
	if errno != 0 {
		return errno
	}
	return nil
}
