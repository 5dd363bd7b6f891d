package rootfs

import (
	"fmt"
	"os"
	"path"

	"berth/runtime/mount"
	"berth/runtime/procfs"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

type device struct {
	path         string
	format       uint32
	major, minor uint32
	mode         uint32
	uid, gid     uint32
}

// defaultDevices are in every container (runtime-spec config-linux.md, "Default
// Devices"); /dev/console and /dev/ptmx are made by Console and links.
var defaultDevices = []device{
	{"/dev/null", unix.S_IFCHR, 1, 3, 0o666, 0, 0},
	{"/dev/zero", unix.S_IFCHR, 1, 5, 0o666, 0, 0},
	{"/dev/full", unix.S_IFCHR, 1, 7, 0o666, 0, 0},
	{"/dev/random", unix.S_IFCHR, 1, 8, 0o666, 0, 0},
	{"/dev/urandom", unix.S_IFCHR, 1, 9, 0o666, 0, 0},
	{"/dev/tty", unix.S_IFCHR, 5, 0, 0o666, 0, 0},
}

var devLinks = [][2]string{
	{"/dev/fd", "/proc/self/fd"},
	{"/dev/stdin", "/proc/self/fd/0"},
	{"/dev/stdout", "/proc/self/fd/1"},
	{"/dev/stderr", "/proc/self/fd/2"},
}

// Devices makes the nodes and links in /dev, unless the spec binds a /dev from
// elsewhere.
func (r *Rootfs) Devices() error {
	for _, m := range r.cfg.Spec.Mounts {
		o, err := mount.ParseOptions(m.Options)
		if err == nil && isBind(m, o) && path.Clean("/"+m.Destination) == "/dev" {
			return nil
		}
	}
	own := map[string]bool{}
	for _, d := range r.cfg.Spec.Linux.Devices {
		own[path.Clean("/"+d.Path)] = true
	}
	dev, err := makeDir(r.root, "/dev", 0o755)
	if err != nil {
		return err
	}
	defer dev.Close()
	for _, d := range defaultDevices {
		if own[d.path] {
			continue
		}
		if err := r.node(dev, d); err != nil {
			return fmt.Errorf("make device %s: %w", d.path, err)
		}
	}
	for _, l := range r.cfg.Spec.Linux.Devices {
		d, err := fromSpec(l)
		if err != nil {
			return fmt.Errorf("linux.devices: %s: %w", l.Path, err)
		}
		dir, err := makeDir(r.root, path.Dir(d.path), 0o755)
		if err != nil {
			return fmt.Errorf("linux.devices: %w", err)
		}
		err = r.node(dir, d)
		dir.Close()
		if err != nil {
			return fmt.Errorf("linux.devices: make %s: %w", l.Path, err)
		}
	}
	return r.links(dev)
}

func fromSpec(l specs.LinuxDevice) (device, error) {
	d := device{path: path.Clean("/" + l.Path), major: uint32(l.Major), minor: uint32(l.Minor), mode: 0o666}
	switch l.Type {
	case "c", "u":
		d.format = unix.S_IFCHR
	case "b":
		d.format = unix.S_IFBLK
	case "p":
		d.format = unix.S_IFIFO
	default:
		return d, fmt.Errorf("unknown device type %q: %w", l.Type, errdefs.ErrInvalidArgument)
	}
	// dev_t has 12 and 20 bits.
	if d.format != unix.S_IFIFO && (l.Major < 0 || l.Major >= 1<<12 || l.Minor < 0 || l.Minor >= 1<<20) {
		return d, fmt.Errorf("no device has the numbers %d:%d: %w", l.Major, l.Minor, errdefs.ErrInvalidArgument)
	}
	if l.FileMode != nil {
		d.mode = uint32(l.FileMode.Perm())
	}
	if l.UID != nil {
		d.uid = *l.UID
	}
	if l.GID != nil {
		d.gid = *l.GID
	}
	return d, nil
}

// node makes a device in dir. One that is there already must be the same.
func (r *Rootfs) node(dir *os.File, d device) error {
	base, fd := path.Base(d.path), int(dir.Fd())
	if r.cfg.Privileged != nil && d.format != unix.S_IFIFO {
		return r.bindNode(dir, d) // nobody makes devices in a user namespace
	}
	rdev := 0
	if d.format != unix.S_IFIFO {
		rdev = int(unix.Mkdev(d.major, d.minor))
	}
	err := unix.Mknodat(fd, base, d.format|d.mode, rdev)
	if err == unix.EPERM && d.format != unix.S_IFIFO {
		return r.bindNode(dir, d) // the runtime itself is in one
	}
	if err == unix.EEXIST {
		var st unix.Stat_t
		if err := unix.Fstatat(fd, base, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return err
		}
		if st.Mode&unix.S_IFMT != d.format || d.format != unix.S_IFIFO && st.Rdev != uint64(rdev) {
			return fmt.Errorf("something else is there: %w", errdefs.ErrAlreadyExists)
		}
	} else if err != nil {
		return err
	}
	if d.uid != 0 || d.gid != 0 {
		return unix.Fchownat(fd, base, int(d.uid), int(d.gid), unix.AT_SYMLINK_NOFOLLOW)
	}
	return nil
}

func (r *Rootfs) links(dev *os.File) error {
	list := devLinks
	if _, err := os.Stat("/proc/kcore"); err == nil {
		list = append(list[:len(list):len(list)], [2]string{"/dev/core", "/proc/kcore"})
	}
	for _, l := range list {
		if err := unix.Symlinkat(l[1], int(dev.Fd()), path.Base(l[0])); err != nil && err != unix.EEXIST {
			return fmt.Errorf("make %s: %w", l[0], err)
		}
	}
	// The container's own ptmx, whatever the image has there.
	_ = unix.Unlinkat(int(dev.Fd()), "ptmx", 0)
	if err := unix.Symlinkat("pts/ptmx", int(dev.Fd()), "ptmx"); err != nil && err != unix.EEXIST {
		return fmt.Errorf("make /dev/ptmx: %w", err)
	}
	return nil
}

// Console makes a pseudo-terminal in the container's devpts and shows its slave
// as /dev/console. The master is for the user's side. proc is as for OpenPTY.
func (r *Rootfs) Console(p *specs.Process, proc *os.File) (master, slave *os.File, err error) {
	ptmx, err := open(r.root, "/dev/pts/ptmx")
	if err != nil {
		return nil, nil, fmt.Errorf("process.terminal: no devpts in the container: %w", err)
	}
	defer ptmx.Close()
	master, slave, err = OpenPTY(ptmx, proc, p)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			master.Close()
			slave.Close()
		}
	}()
	tree, err := mount.Clone(int(slave.Fd()), "", false)
	if err != nil {
		return nil, nil, fmt.Errorf("bind the terminal: %w", err)
	}
	defer tree.Close()
	target, err := r.console()
	if err != nil {
		return nil, nil, fmt.Errorf("process.terminal: %w", err)
	}
	defer target.Close()
	if err = mount.Attach(tree, target); err != nil {
		return nil, nil, fmt.Errorf("bind the terminal to /dev/console: %w", err)
	}
	return master, slave, nil
}

// console opens the file that the terminal is bound to. It is no link: that would
// lead the mount to a file which is masked or made read-only later
// (CVE-2025-52565).
func (r *Rootfs) console() (*os.File, error) {
	dev, err := makeDir(r.root, "/dev", 0o755)
	if err != nil {
		return nil, err
	}
	defer dev.Close()
	if err := emptyFile(dev, "console"); err != nil && err != unix.EEXIST && err != unix.EROFS {
		return nil, err
	}
	return openHere(dev, "/dev/console")
}

// OpenPTY makes a pseudo-terminal from ptmx (O_PATH), which must be the ptmx of
// a devpts and not a file of the image that claims to be. The slave is opened
// through the master (TIOCGPTPEER, Linux 4.13), never by its path, and belongs
// to the process's user. proc is the host's (procfs.Root).
func OpenPTY(ptmx, proc *os.File, p *specs.Process) (master, slave *os.File, err error) {
	devpts, err := onFS(ptmx, unix.DEVPTS_SUPER_MAGIC)
	if err != nil {
		return nil, nil, err
	}
	if !devpts {
		return nil, nil, fmt.Errorf("/dev/pts/ptmx is not on a devpts: %w", errdefs.ErrInvalidArgument)
	}
	if master, err = procfs.Reopen(proc, ptmx, unix.O_RDWR|unix.O_NOCTTY, "/dev/ptmx"); err != nil {
		return nil, nil, fmt.Errorf("open a terminal: %w", err)
	}
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		master.Close()
		return nil, nil, fmt.Errorf("unlock the terminal: %w", err)
	}
	peer, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		master.Close()
		return nil, nil, fmt.Errorf("open the terminal's other end: %w", errno)
	}
	slave = os.NewFile(peer, "/dev/pts")
	if err := unix.Fchown(int(peer), int(p.User.UID), -1); err != nil {
		master.Close()
		slave.Close()
		return nil, nil, fmt.Errorf("give the terminal to user %d: %w", p.User.UID, err)
	}
	if s := p.ConsoleSize; s != nil {
		// The size is a convenience: a terminal without it works.
		_ = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(s.Height), Col: uint16(s.Width)})
	}
	return master, slave, nil
}
