package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"berth/runtime/caps"
	"berth/runtime/cgroup"
	"berth/runtime/initproc"
	"berth/runtime/nsenter"
	"berth/runtime/plainfile"
	"berth/runtime/resctrl"
	"berth/runtime/rootfs"
	"berth/runtime/seccomp"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Create makes a container and parks its init right before the command.
//
// Three work at it at once: the caller, which makes and limits the cgroups; the
// builder thread, in the new namespaces, which builds the root file system; and
// init, which the builder forks early (package sync draws it).
func Create(ctx context.Context, o Options) (_ *Container, err error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	b, err := newBuild(o)
	if err != nil {
		return nil, err
	}
	defer b.close()
	lock, err := b.claim()
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	defer func() {
		if err != nil {
			b.rollback()
		}
	}()
	if o.Notify {
		if err := os.Mkdir(b.c.dir.path(notifyDir), 0o755); err != nil {
			return nil, fmt.Errorf("make the notification directory: %w", err)
		}
	}
	if err := b.listen(); err != nil {
		return nil, err
	}
	if err := b.run(ctx); err != nil {
		return nil, err
	}
	if b.c.cg != nil {
		b.c.cg.Settled()
	}
	if err := unix.Rename(b.c.dir.path(startSocket+".tmp"), b.c.dir.path(startSocket)); err != nil {
		return nil, fmt.Errorf("create container %s: %w", o.ID, err)
	}
	return b.c, nil
}

// claim takes the ID, and writes down what is about to be made: a kill of the
// runtime from then on leaves something, and state.json says what. The state is
// locked until the file is closed.
func (b *build) claim() (lock *os.File, err error) {
	dir, lock, err := makeStateDir(b.o.StateRoot, b.o.ID)
	if err != nil {
		return nil, err
	}
	b.c.dir = dir
	switch {
	case b.c.cg.Occupied():
		err = fmt.Errorf("linux.cgroupsPath: container's cgroup is not empty: it has processes in it already: %w", errdefs.ErrAlreadyExists)
	case b.c.cg.Frozen():
		err = fmt.Errorf("linux.cgroupsPath: container's cgroup unexpectedly frozen: nothing could start in it: %w", errdefs.ErrFailedPrecondition)
	default:
		err = dir.write(&b.c.rec)
	}
	if err != nil {
		lock.Close()
		return nil, errors.Join(err, dir.remove())
	}
	return lock, nil
}

// build is one Create under way.
type build struct {
	o    Options
	spec *specs.Spec
	c    *Container
	ns   nsenter.Namespaces
	proc initproc.Process
	prog *initproc.Program

	conn, peer, listener int // -1 when closed
	null, stub, hostProc *os.File
	joins                map[string]*os.File
	cgroupDir            *os.File
	own                  *cgroup.Manager // the runtime's, when the container has none
	rootless             bool            // known here with a user namespace only

	cgroups chan error // the cgroups are made
	forked  chan error // init exists
	limited chan error // the limits are set
}

// newBuild checks everything that can be checked before anything is made.
func newBuild(o Options) (b *build, err error) {
	b = &build{o: o, spec: o.Spec, conn: -1, peer: -1, listener: -1,
		cgroups: make(chan error, 1), forked: make(chan error, 1), limited: make(chan error, 1)}
	defer func(made *build) {
		if err != nil {
			made.close()
		}
	}(b)
	if b.spec == nil {
		if b.spec, err = LoadSpec(o.Bundle); err != nil {
			return nil, err
		}
	}
	if b.ns, err = validate(b.spec); err != nil {
		return nil, err
	}
	if err := validateUser(b.spec, b.ns); err != nil {
		return nil, err
	}
	if b.ns.Own(specs.UserNamespace) {
		b.rootless = caps.Rootless() // the twin would see what it is itself
	}
	if b.spec.Process.Terminal && o.ConsoleSocket == nil {
		return nil, fmt.Errorf("process.terminal: a console socket is needed to send the terminal to: %w", errdefs.ErrInvalidArgument)
	}
	root, err := rootfs.Path(b.spec, o.Bundle)
	if err != nil {
		return nil, err
	}
	cg, err := o.cgroup(b.spec)
	if err != nil {
		return nil, err
	}
	if err := b.process(); err != nil {
		return nil, err
	}
	var class *resctrl.Group
	if b.spec.Linux.IntelRdt != nil {
		if class, err = classOf(o.ID, b.spec.Linux.IntelRdt); err != nil {
			return nil, err
		}
	}
	b.c = &Container{cg: cg, warn: o.Warn, rec: record{
		Version: b.spec.Version, ID: o.ID, Bundle: o.Bundle, Rootfs: root, Created: time.Now().UTC(), Owner: os.Geteuid(),
		Annotations: b.spec.Annotations, Cgroups: cg.Paths, Unit: cg.Unit(), SharedPID: !b.ns.New(specs.PIDNamespace),
		Command: b.spec.Process.Args[0], Keyring: b.proc.Keyring, FilterFlags: b.proc.Seccomp.Flags,
		ListenerPath: b.proc.Seccomp.ListenerPath, ListenerMetadata: b.proc.Seccomp.ListenerMetadata,
		Hooks: b.spec.Hooks, defaults: defaultsOf(b.spec.Process), Settings: b.proc.Settings, Class: class, Process: startHookProcess(b.spec),
		UserNS: b.ns.Own(specs.UserNamespace), TimeNS: b.ns.Own(specs.TimeNamespace),
	}}
	return b, nil
}

// process fills in what init needs to know, as far as it is known before the
// root file system stands.
func (b *build) process() error {
	sets, warnings, err := caps.Parse(b.spec.Process.Capabilities, heldCaps(b.ns.Own(specs.UserNamespace)))
	if err != nil {
		return err
	}
	for _, w := range warnings {
		b.o.Warn(w)
	}
	filter := b.o.Seccomp
	if filter == nil {
		compiled, err := seccomp.Compile(b.spec.Linux.Seccomp)
		if err != nil {
			return err
		}
		filter = &compiled
	}
	b.proc = initproc.Process{Spec: b.spec.Process, ChangeRoot: b.o.NoPivot, Caps: sets, Seccomp: *filter, CgroupNS: b.ns.New(specs.CgroupNamespace),
		Settings: settings(b.spec)}
	if !b.o.NoNewKeyring && hasKeyrings() {
		b.proc.Keyring = "_ses." + b.o.ID
	}
	if b.hostProc, err = label(&b.proc, 3+len(b.o.ExtraFiles)); err != nil {
		return err
	}
	if b.proc.Proc, err = rootfs.ProcMounts(b.spec); err != nil {
		return err
	}
	if b.prog, err = initproc.New(initproc.Size(b.spec.Process, len(filter.Code))); err != nil {
		return err
	}
	b.stub, err = b.prog.Stub()
	return err
}

// listen makes the two connections of package sync and saves the filter for
// later execs.
func (b *build) listen() error {
	low := 3 + len(b.o.ExtraFiles)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("make the build connection: %w", err)
	}
	b.conn = pair[0]
	if b.peer, err = above(pair[1], low); err != nil {
		return err
	}
	l, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("make the start socket: %w", err)
	}
	if b.listener, err = above(l, low); err != nil {
		return err
	}
	dir, err := b.c.dir.open()
	if err != nil {
		return err
	}
	defer dir.Close()
	// Nobody else may start the container, whatever the umask is. The file gets the
	// mode of the socket.
	if err := unix.Fchmod(b.listener, 0o600); err != nil {
		return fmt.Errorf("make the start socket private: %w", err)
	}
	if err := unix.Bind(b.listener, address(dir, startSocket+".tmp")); err != nil {
		return fmt.Errorf("bind the start socket: %w", err)
	}
	if err := unix.Listen(b.listener, 1); err != nil {
		return fmt.Errorf("listen on the start socket: %w", err)
	}
	b.proc.Sync, b.proc.Listen = b.peer, b.listener
	if len(b.proc.Seccomp.Code) > 0 {
		if err := plainfile.Create(b.c.dir.path(filterFile), b.proc.Seccomp.Code, 0o600); err != nil {
			return fmt.Errorf("save the seccomp filter: %w", err)
		}
	}
	b.null, err = b.proc.SetFiles(b.o.Stdin, b.o.Stdout, b.o.Stderr, b.o.ExtraFiles)
	return err
}

// above moves a descriptor to a number that init's command does not get.
func above(fd, low int) (int, error) {
	if fd >= low {
		return fd, nil
	}
	defer unix.Close(fd)
	moved, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, low)
	if err != nil {
		return -1, fmt.Errorf("move a descriptor: %w", err)
	}
	return moved, nil
}

// run does the work, in the caller and on the builder.
func (b *build) run(ctx context.Context) error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("become undumpable: %w", err)
	}
	built := make(chan error, 1)
	go func() {
		err := b.ns.Run(b.build)
		select {
		case b.forked <- err: // unless it was told before
		default:
		}
		built <- err
	}()
	err := b.makeCgroups()
	b.cgroups <- err
	if err == nil && b.c.cg != nil {
		err = b.c.cg.Limit()
	}
	if ferr := <-b.forked; err == nil && ferr == nil {
		err = b.adopt()
	}
	b.limited <- err
	// The builder knows better what went wrong: without cgroups it stops, too.
	if berr := <-built; berr != nil {
		return berr
	}
	if err == nil {
		err = ctx.Err()
	}
	return err
}

func (b *build) makeCgroups() (err error) {
	if err := b.c.cg.Create(); err != nil {
		return b.withoutCgroups(err)
	}
	if err := b.delegate(); err != nil {
		return err
	}
	if b.c.cg.Unified && !b.c.rec.UserNS {
		b.cgroupDir, err = b.c.cg.Dir()
		return err
	}
	if b.joins, err = b.c.cg.Join(); err != nil {
		return err
	}
	b.proc.Cgroups = joinables(b.joins)
	return nil
}

// adopt writes down that init exists, and gives it what only its parent can.
func (b *build) adopt() error {
	rec := &b.c.rec
	rec.PID = b.c.init.pid
	_, started, err := processStat(rec.PID)
	if err != nil {
		return fmt.Errorf("find init: %w", err)
	}
	rec.Started = started
	if err := b.c.dir.update(rec); err != nil {
		return err
	}
	if rec.UserNS {
		if err := givePipes(&b.proc, rec.PID); err != nil {
			return err
		}
	}
	if rec.Class != nil {
		if err := rec.Class.Create(); err != nil {
			return err
		}
		if err := rec.Class.Add(rec.PID); err != nil {
			return err
		}
	}
	return setOOMScore(rec.PID, b.spec.Process.OOMScoreAdj)
}

func setOOMScore(pid int, score *int) error {
	if score == nil {
		return nil
	}
	err := plainfile.Write("/proc/"+strconv.Itoa(pid)+"/oom_score_adj", strconv.Itoa(*score))
	if err != nil {
		return fmt.Errorf("process.oomScoreAdj: set it to %d: %w", *score, err)
	}
	return nil
}

// rollback removes everything that a failed Create has made.
func (b *build) rollback() {
	if b.c.init != nil {
		b.c.init.kill()
	}
	if err := b.c.destroy(); err != nil {
		b.o.Warn("roll back: " + err.Error())
	}
	b.c.poststop()
}

// close lets go of what only the build needed.
func (b *build) close() {
	for _, fd := range []int{b.conn, b.peer, b.listener} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
	for _, f := range b.joins {
		f.Close()
	}
	if b.cgroupDir != nil {
		b.cgroupDir.Close()
	}
	for _, f := range []*os.File{b.null, b.stub, b.hostProc} {
		if f != nil {
			f.Close()
		}
	}
	if b.prog != nil {
		b.prog.Free()
	}
}
