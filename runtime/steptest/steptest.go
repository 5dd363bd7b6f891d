// Package steptest kills a process at a chosen step of what it does, for the tests
// of what a crash leaves behind. A step is a system call, of any of the process's
// threads, about to be made: whatever the process has changed in the world lies
// between two of them.
package steptest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// Generation says which process is meant: the command itself, a child of it, or a
// child of that. Those of later generations are let go untraced.
type Generation int

const (
	Command Generation = iota
	Child
	Grandchild
)

// Result is how a command ended and what was counted.
type Result struct {
	Steps  int             // of the generation, up to its end or the command's
	Killed bool            // the chosen step was reached
	Status unix.WaitStatus // of the command
}

// Run runs a command to its end, and kills the generation's process (the whole of
// it) at its system call number at, counted from 1; 0 kills nothing. A child that
// outlives the command is let go then.
func Run(cmd *exec.Cmd, g Generation, at int) (r Result, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		// The tracer is a thread. It is never unlocked: its end lets go of what is
		// still traced.
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			r, err = Run(cmd, g, at) // the first thread does not end
			runtime.UnlockOSThread()
			return
		}
		t := tracer{g: g, at: at, threads: map[int]*thread{}, early: map[int]bool{}}
		err = t.run(cmd)
		r = t.result
	}()
	<-done
	return r, err
}

// Points chooses n of the steps from 1 to total, spread over all of them, others
// each time; all of them if n is no less than their number.
func Points(total, n int) []int {
	if n >= total {
		n = total
	}
	var list []int
	for i := range n {
		low, high := 1+i*total/n, 1+(i+1)*total/n
		list = append(list, low+rand.IntN(high-low))
	}
	return list
}

// Count is how many steps a test is to try: the variable's value, or few.
func Count(few int) int {
	if n, err := strconv.Atoi(os.Getenv("BERTH_CRASH_STEPS")); err == nil {
		return n
	}
	return few
}

const (
	options = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK | unix.PTRACE_O_TRACEEXEC
	// A stop at a system call, told from a real SIGTRAP by TRACESYSGOOD.
	syscallStop = unix.SIGTRAP | 0x80
)

// ptrace is ptrace(2) for requests without an address.
func ptrace(request, tid, data int) error {
	if _, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, uintptr(request), uintptr(tid), 0, uintptr(data), 0, 0); errno != 0 {
		return errno
	}
	return nil
}

type tracer struct {
	g       Generation
	at      int
	result  Result
	command int // the command's process ID
	threads map[int]*thread
	early   map[int]bool // stopped before its parent told of it
}

type thread struct {
	process    int
	generation Generation
	inside     bool // a system call
}

func (t *tracer) run(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &unix.SysProcAttr{}
	}
	cmd.SysProcAttr.Ptrace = true
	if err := cmd.Start(); err != nil {
		return err
	}
	t.command = cmd.Process.Pid
	t.threads[t.command] = &thread{process: t.command}
	var status unix.WaitStatus
	if _, err := unix.Wait4(t.command, &status, unix.WALL, nil); err != nil || !status.Stopped() {
		return fmt.Errorf("wait for the command's first stop: %v, %w", status, err)
	}
	// Seized instead of as it began: what it makes then is not stopped by a signal,
	// and so never stays stopped when we end before we have seen it.
	if err := ptrace(unix.PTRACE_DETACH, t.command, int(unix.SIGSTOP)); err != nil {
		return fmt.Errorf("trace the command: %w", err)
	}
	if err := ptrace(unix.PTRACE_SEIZE, t.command, options); err != nil {
		return fmt.Errorf("trace the command: %w", err)
	}
	if err := unix.Kill(t.command, unix.SIGCONT); err != nil {
		return fmt.Errorf("trace the command: %w", err)
	}
	for {
		tid, err := unix.Wait4(-1, &status, unix.WALL|unix.WNOTHREAD, nil)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("wait for the command: %w", err)
		}
		if !status.Stopped() {
			delete(t.threads, tid)
			if tid == t.command {
				t.result.Status = status
				return cmd.Process.Release()
			}
			continue
		}
		t.stopped(tid, status)
	}
}

// stopped lets a thread go on, whose stop may be of any kind.
func (t *tracer) stopped(tid int, status unix.WaitStatus) {
	th := t.threads[tid]
	switch sig := status.StopSignal(); {
	case th == nil:
		t.early[tid] = true
	case sig == syscallStop:
		if th.inside = !th.inside; th.inside {
			t.step(th)
		}
		t.resume(tid, 0)
	case sig == unix.SIGTRAP:
		t.event(tid, th, status.TrapCause())
		t.resume(tid, 0)
	case sig == unix.SIGSTOP, sig == unix.SIGCONT: // ours, when it begins
		t.resume(tid, 0)
	default:
		t.resume(tid, sig)
	}
}

func (t *tracer) step(th *thread) {
	if th.generation != t.g {
		return
	}
	t.result.Steps++
	if t.result.Steps == t.at {
		t.result.Killed = true
		_ = unix.Kill(th.process, unix.SIGKILL)
	}
}

// event takes up what a thread has made.
func (t *tracer) event(tid int, th *thread, cause int) {
	if cause == unix.PTRACE_EVENT_EXEC {
		th.inside = true // its number may have been another thread's
		return
	}
	if cause != unix.PTRACE_EVENT_CLONE && cause != unix.PTRACE_EVENT_FORK && cause != unix.PTRACE_EVENT_VFORK {
		return
	}
	id, err := unix.PtraceGetEventMsg(tid)
	if err != nil {
		return // killed meanwhile
	}
	made := &thread{process: th.process, generation: th.generation}
	if cause != unix.PTRACE_EVENT_CLONE {
		made = &thread{process: int(id), generation: th.generation + 1}
	}
	t.threads[int(id)] = made
	if t.early[int(id)] {
		delete(t.early, int(id))
		t.resume(int(id), 0)
	}
}

// resume lets a stopped thread go on: to its next system call if that counts, free
// if it is of no interest. That it has been killed meanwhile shows in the next wait.
func (t *tracer) resume(tid int, sig unix.Signal) {
	var err error
	switch th := t.threads[tid]; {
	case th.generation > t.g:
		err = unix.PtraceDetach(tid)
	case th.generation == t.g:
		err = unix.PtraceSyscall(tid, int(sig))
	default:
		err = unix.PtraceCont(tid, int(sig))
	}
	if err != nil && !errors.Is(err, unix.ESRCH) {
		panic(err) // a use of ptrace(2) that cannot be
	}
}
