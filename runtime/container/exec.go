package container

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"berth/runtime/caps"
	"berth/runtime/initproc"
	"berth/runtime/nsenter"
	"berth/runtime/plainfile"
	"berth/runtime/procfs"
	"berth/runtime/rootfs"
	"berth/runtime/seccomp"
	"berth/runtime/sync"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// ExecOptions say what Exec runs.
type ExecOptions struct {
	Process *specs.Process
	// As those of Options.
	Stdin, Stdout, Stderr, ConsoleSocket *os.File
	PlainNewlines                        bool
	ExtraFiles                           []*os.File
	// Cgroups are where to run below the container's cgroups, by controller, or
	// under "" for all. They have to exist.
	Cgroups      map[string]string
	IgnorePaused bool // in a paused container it waits for Resume
	Warn         func(message string)

	hook string // the file to run, whatever Args and Env say, of a hook
}

// Exec runs a further process in a running or created container. It returns
// when its execve has happened. Errors of the kinds ErrNotFound and
// ErrNotExecutable say that the command itself cannot be run.
//
// What the process does not say is as in the container's (type defaults).
func (c *Container) Exec(ctx context.Context, o ExecOptions) (*Process, error) {
	e, err := c.newExec(o)
	if err != nil {
		return nil, err
	}
	defer e.close()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("become undumpable: %w", err)
	}
	err = c.inside(func() error {
		if err := e.fork(); err != nil {
			return err
		}
		// Still on the builder: the child dies with the thread that forked it.
		return e.follow()
	})
	if err != nil {
		if e.child != nil {
			e.child.kill()
		}
		return nil, fmt.Errorf("exec in container %s: %w", c.rec.ID, err)
	}
	return e.child, nil
}

// execution is one Exec under way.
type execution struct {
	c          *Container
	status     specs.ContainerState // when it began
	o          ExecOptions
	spec       specs.Process
	proc       initproc.Process
	prog       *initproc.Program
	conn, peer int
	closers    []io.Closer

	pidfd, cgroupDir, stub *os.File
	child                  *Process
}

func (c *Container) newExec(o ExecOptions) (e *execution, err error) {
	if err := validateProcess(o.Process); err != nil {
		return nil, err
	}
	if o.Process.Terminal && o.ConsoleSocket == nil {
		return nil, fmt.Errorf("process.terminal: a console socket is needed to send the terminal to: %w", errdefs.ErrInvalidArgument)
	}
	status := c.status()
	switch s := status; {
	case s == specs.StateRunning, s == specs.StateCreated, s == Paused && o.IgnorePaused:
	case s == Paused:
		return nil, fmt.Errorf("cannot exec in a paused container (use --ignore-paused to override): %w", errdefs.ErrFailedPrecondition)
	default:
		return nil, fmt.Errorf("cannot exec in a %s container: %w", s, errdefs.ErrFailedPrecondition)
	}
	e = &execution{c: c, status: status, o: o, spec: *o.Process, conn: -1, peer: -1}
	defer func() {
		if err != nil {
			e.close()
		}
	}()
	c.rec.fill(&e.spec)
	e.proc = initproc.Process{Spec: &e.spec, Listen: -1, Keyring: c.rec.Keyring, Await: e.spec.OOMScoreAdj != nil || c.rec.Class != nil, Settings: c.rec.Settings}
	var warnings []string
	if e.proc.Caps, warnings, err = caps.Parse(e.spec.Capabilities, heldCaps(c.rec.UserNS)); err != nil {
		return nil, err
	}
	for _, w := range warnings {
		if o.Warn != nil {
			o.Warn(w)
		}
	}
	code, err := plainfile.Read(c.dir.path(filterFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("read the seccomp filter: %w", err)
	}
	e.proc.Seccomp = seccomp.Filter{Code: code, Flags: c.rec.FilterFlags, ListenerPath: c.rec.ListenerPath}
	return e, e.open(c)
}

// open opens all that the builder needs and could not open from within.
func (e *execution) open(c *Container) (err error) {
	if e.pidfd, err = c.pidfd(); err != nil {
		return err
	}
	e.closers = append(e.closers, e.pidfd)
	cg, err := e.cgroup(c)
	if err != nil {
		return err
	}
	if cg.Unified && !c.rec.UserNS {
		if e.cgroupDir, err = cg.Dir(); err != nil {
			return fmt.Errorf("open the cgroup: %w", err)
		}
		e.closers = append(e.closers, e.cgroupDir)
	}
	if err := e.joins(c, cg); err != nil {
		return err
	}
	null, err := e.proc.SetFiles(e.o.Stdin, e.o.Stdout, e.o.Stderr, e.o.ExtraFiles)
	if err != nil {
		return err
	}
	if null != nil {
		e.closers = append(e.closers, null)
	}
	if c.rec.UserNS {
		if err := givePipes(&e.proc, c.rec.PID); err != nil {
			return err
		}
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("make the build connection: %w", err)
	}
	e.conn = pair[0]
	if e.peer, err = above(pair[1], 3+len(e.o.ExtraFiles)); err != nil {
		return err
	}
	e.proc.Sync = e.peer
	hostProc, err := label(&e.proc, 3+len(e.o.ExtraFiles))
	if err != nil {
		return err
	}
	if hostProc != nil {
		e.closers = append(e.closers, hostProc)
	}
	if e.prog, err = initproc.New(initproc.Size(&e.spec, len(e.proc.Seccomp.Code))); err != nil {
		return err
	}
	if e.stub, err = e.prog.Stub(); e.stub != nil {
		e.closers = append(e.closers, e.stub)
	}
	return err
}

// fork runs on a builder thread: it goes into the container and forks there.
func (e *execution) fork() error {
	proc, err := procfs.Root()
	if err != nil {
		return err
	}
	defer proc.Close()
	in, err := e.c.enter(e.pidfd)
	if err != nil {
		return err
	}
	e.proc.NoGroups = in.NoGroups
	if err := checkGroups(&e.spec, in); err != nil {
		return err
	}
	if e.o.hook != "" {
		e.proc.Paths, e.proc.Env = []string{e.o.hook}, e.spec.Env
		if e.proc.Env == nil {
			e.proc.Env = environment(e.c.rec.Process, proc)
		}
	} else if e.proc.Paths, e.proc.Env, err = resolve(&e.spec, proc); err != nil {
		return err
	}
	if e.spec.Terminal {
		slave, err := e.terminal(proc)
		if err != nil {
			return err
		}
		defer slave.Close()
		if e.proc.Terminal, err = unix.FcntlInt(slave.Fd(), unix.F_DUPFD_CLOEXEC, 3+len(e.o.ExtraFiles)); err != nil {
			return fmt.Errorf("move a descriptor: %w", err)
		}
		defer unix.Close(e.proc.Terminal)
	}
	if err := affinity(e.spec.ExecCPUAffinity); err != nil {
		return err
	}
	e.prog.Enter(&e.proc)
	e.prog.Become(&e.proc)
	cgroup := -1
	if e.cgroupDir != nil {
		cgroup = int(e.cgroupDir.Fd())
	}
	pid, pidfd, err := nsenter.Fork(e.prog, e.stub, e.proc.Descriptors(), 0, cgroup)
	if err != nil {
		return err
	}
	e.child = &Process{pid: pid, pidfd: pidfd}
	unix.Close(e.peer)
	e.peer = -1
	// The child has all of it, and is at work now: there is time to let go.
	e.release()
	return nil
}

// terminal makes a pseudo-terminal in the container's devpts and sends its
// master away.
func (e *execution) terminal(proc *os.File) (slave *os.File, err error) {
	ptmx, err := rootfs.OpenIn("/", "/dev/pts/ptmx")
	if err != nil {
		return nil, fmt.Errorf("process.terminal: no devpts in the container: %w", err)
	}
	defer ptmx.Close()
	master, slave, err := rootfs.OpenPTY(ptmx, proc, &e.spec)
	if err != nil {
		return nil, err
	}
	defer master.Close()
	if err := sendTerminal(e.o.ConsoleSocket, master, e.o.PlainNewlines); err != nil {
		slave.Close()
		return nil, err
	}
	return slave, nil
}

// follow sees the child to its execve.
func (e *execution) follow() error {
	describe := func(m sync.Message) error { return describe(e.prog, e.spec.Args[0], m) }
	if e.proc.Await {
		// On another thread: the builder's /proc is the container's now.
		done := make(chan error, 1)
		go func() { done <- e.adopt() }()
		if err := <-done; err != nil {
			return err
		}
		if err := sync.SendBuilt(e.conn); err != nil && !errors.Is(err, io.EOF) {
			return err // end of file: the child has left a message
		}
	}
	if e.proc.Seccomp.Notifies() {
		if err := e.c.passListener(e.conn, e.child, e.status, describe); err != nil {
			return err
		}
	}
	if err := receive(e.conn, sync.Ready, nil, describe); err != nil {
		return err
	}
	if err := receive(e.conn, 0, nil, describe); !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// adopt gives the child what only its parent can.
func (e *execution) adopt() error {
	if class := e.c.rec.Class; class != nil {
		if err := class.Add(e.child.pid); err != nil {
			return err
		}
	}
	return setOOMScore(e.child.pid, e.spec.OOMScoreAdj)
}

func (e *execution) close() {
	e.release()
	for _, fd := range []int{e.conn, e.peer} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}

// release lets go of what only the fork needs.
func (e *execution) release() {
	for _, c := range e.closers {
		c.Close()
	}
	e.closers = nil
	if e.prog != nil {
		e.prog.Free()
	}
}
