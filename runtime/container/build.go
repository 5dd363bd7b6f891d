package container

import (
	"fmt"
	"os"

	"berth/runtime/netdev"
	"berth/runtime/nsenter"
	"berth/runtime/procfs"
	"berth/runtime/rootfs"
	"berth/runtime/sync"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// build runs on the builder thread.
func (b *build) build() error {
	// While it is the host's: a mount namespace that is joined has its own.
	proc, err := procfs.Root()
	if err != nil {
		return err
	}
	defer proc.Close()
	in, err := b.ns.Enter(nsSettings(b.spec))
	if err != nil {
		return err
	}
	defer in.Close()
	if err := b.entered(in); err != nil {
		return err
	}
	if err := b.identify(proc); err != nil {
		return err
	}
	if err := <-b.cgroups; err != nil {
		return err
	}
	b.prog.Enter(&b.proc)
	if err := b.fork(); err != nil {
		return err
	}
	root, err := rootfs.Open(b.rootfsConfig())
	if err != nil {
		return err
	}
	defer root.Close()
	terminal, err := b.mount(root, proc)
	if err != nil {
		return err
	}
	if terminal != nil {
		defer terminal.Close()
	}
	if b.proc.Paths, b.proc.Env, err = resolve(b.spec.Process, proc); err != nil {
		return err
	}
	return b.park(root, terminal)
}

// identify gives the new namespaces their names and numbers.
func (b *build) identify(proc *os.File) error {
	if b.spec.Hostname != "" {
		if err := unix.Sethostname([]byte(b.spec.Hostname)); err != nil {
			return fmt.Errorf("hostname: set it to %s: %w", b.spec.Hostname, err)
		}
	}
	if b.spec.Domainname != "" {
		if err := unix.Setdomainname([]byte(b.spec.Domainname)); err != nil {
			return fmt.Errorf("domainname: set it to %s: %w", b.spec.Domainname, err)
		}
	}
	if b.ns.New(specs.NetworkNamespace) {
		if err := nsenter.LoopbackUp(); err != nil {
			return err
		}
	}
	if err := netdev.Move(b.spec.Linux.NetDevices); err != nil {
		return err
	}
	return applySysctl(proc, b.spec.Linux.Sysctl)
}

func (b *build) fork() error {
	cgroup := -1
	if b.cgroupDir != nil {
		cgroup = int(b.cgroupDir.Fd())
	}
	pid, pidfd, err := nsenter.Fork(b.prog, b.stub, b.proc.Descriptors(), b.ns.CloneFlags(), cgroup)
	if err != nil {
		return err
	}
	b.c.init = &Process{pid: pid, pidfd: pidfd}
	// Init's ends are init's alone, so that its death shows as end of file.
	unix.Close(b.peer)
	unix.Close(b.listener)
	b.peer, b.listener = -1, -1
	b.forked <- nil
	// As is the rest of what it got, and it is at work now: there is time to close it.
	for _, f := range b.joins {
		f.Close()
	}
	b.joins = nil
	if b.stub != nil {
		b.stub.Close()
		b.stub = nil
	}
	return nil
}

func (b *build) cgroupMounts() rootfs.Cgroups {
	cg := b.c.cg
	if cg == nil {
		cg = b.own
	}
	return rootfs.Cgroups{
		ReadOnly:    b.c.cg == nil,
		Unified:     cg.Unified,
		Namespace:   b.ns.Own(specs.CgroupNamespace),
		Hierarchies: cg.Hierarchies(),
		Enter: func() error {
			if !b.ns.New(specs.CgroupNamespace) {
				return nil // joined by path already
			}
			if b.c.rec.UserNS {
				return nsenter.EnterCgroupOf(b.c.init.pid)
			}
			return nsenter.EnterCgroup(b.c.init.pidfd)
		},
	}
}

// mount builds the file system and ends up in it. It returns the slave of the
// terminal, if there is one.
func (b *build) mount(root *rootfs.Rootfs, hostProc *os.File) (terminal *os.File, err error) {
	proc, err := b.made()
	if err != nil {
		return nil, err
	}
	defer func() {
		for _, f := range proc {
			f.Close()
		}
		if err != nil && terminal != nil {
			terminal.Close()
		}
	}()
	if err := root.Mounts(proc); err != nil {
		return nil, err
	}
	if err := root.Devices(); err != nil {
		return nil, err
	}
	if b.spec.Process.Terminal {
		var master *os.File
		if master, terminal, err = root.Console(b.spec.Process, hostProc); err != nil {
			return nil, err
		}
		err = sendTerminal(b.o.ConsoleSocket, master, b.o.PlainNewlines)
		master.Close()
		if err != nil {
			return nil, err
		}
	}
	if err := root.MakeDir(b.spec.Process.Cwd); err != nil {
		return terminal, fmt.Errorf("process.cwd: %w", err)
	}
	if err := root.Finish(); err != nil {
		return terminal, err
	}
	if err := root.Protect(); err != nil {
		return terminal, err
	}
	if err := b.createHooks(root); err != nil {
		return terminal, err
	}
	return terminal, root.Pivot()
}

// made waits for init to have joined its cgroups and to hand over its mounts.
func (b *build) made() ([]*os.File, error) {
	fds := make([]int, len(b.proc.Proc))
	if err := receive(b.conn, sync.Made, fds, b.describe); err != nil {
		return nil, err
	}
	files := make([]*os.File, len(fds))
	for i, fd := range fds {
		files[i] = os.NewFile(uintptr(fd), "proc")
	}
	return files, nil
}

// park lets init go on to the start socket.
func (b *build) park(root *rootfs.Rootfs, terminal *os.File) error {
	b.prog.Become(&b.proc)
	if err := <-b.limited; err != nil {
		return err
	}
	var fds []int
	if b.o.NoPivot {
		fds = append(fds, root.FD())
	}
	if terminal != nil {
		fds = append(fds, int(terminal.Fd()))
	}
	if err := sync.SendBuilt(b.conn, fds...); err != nil {
		return fmt.Errorf("init: %w", err)
	}
	b.prog.Free() // init has a mapping of its own, and is at work
	if b.proc.Seccomp.Notifies() {
		if err := b.c.passListener(b.conn, b.c.init, specs.StateCreating, b.describe); err != nil {
			return err
		}
	}
	return receive(b.conn, sync.Ready, nil, b.describe)
}

// sendTerminal sends the master of a terminal to the console socket, with its
// name as the message, as runc does. With plain it is set to print newlines as they are.
func sendTerminal(socket, master *os.File, plain bool) error {
	if plain {
		t, err := unix.IoctlGetTermios(int(master.Fd()), unix.TCGETS)
		if err == nil {
			t.Oflag &^= unix.ONLCR
			err = unix.IoctlSetTermios(int(master.Fd()), unix.TCSETS, t)
		}
		if err != nil {
			return fmt.Errorf("set up the terminal: %w", err)
		}
	}
	err := unix.Sendmsg(int(socket.Fd()), []byte(master.Name()), unix.UnixRights(int(master.Fd())), nil, unix.MSG_NOSIGNAL)
	if err != nil {
		return fmt.Errorf("send the terminal to the console socket: %w", err)
	}
	return nil
}
