// Package rootfs makes the file system that a container sees: the root, the
// mounts of the spec, /dev, the masked and the read-only paths.
//
// It runs on a builder thread (package nsenter) that is in the container's
// namespaces already but still sees the host's files, and that ends up inside:
// Pivot moves it and init, which shares its mount namespace, into the new root.
//
// The root file system's contents are the container's and not to be trusted:
// links in it, or a second container that shares a volume with it and exchanges
// directories for links at the wrong moment, must not lead a mount or a file
// made here anywhere else. So every path in it is opened once, by openat2 below
// the root's descriptor, and what follows is done to the descriptor.
package rootfs

import (
	"errors"
	"fmt"
	"os"
	"path"

	"berth/runtime/mount"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Config says what to build.
type Config struct {
	Spec    *specs.Spec
	Path    string // of the root, as the function Path gave it
	Bundle  string // absolute; relative bind sources are relative to it
	NoPivot bool   // move the root to / instead of pivot_root (a root on initramfs)
	Cgroups Cgroups
	// Rootless tells whether the runtime has no rights over the host. What it may
	// write, the container's root may.
	Rootless func() bool
	// Privileged is set in a user namespace. It runs f where the builder is, but with
	// the runtime's rights.
	Privileged func(f func() error) error
	// UserNS makes a user namespace of these mappings or, without any, opens the
	// container's.
	UserNS func(uids, gids []specs.LinuxIDMapping) (*os.File, error)
}

// Cgroups says how a mount of type cgroup is made.
type Cgroups struct {
	ReadOnly  bool // they are not the container's to change
	Unified   bool // cgroup v2
	Namespace bool // the container has a cgroup namespace of its own
	// Hierarchies of cgroup v1, or the one of v2.
	Hierarchies []Hierarchy
	// Enter takes the calling thread into the container's cgroup namespace.
	Enter func() error
}

// Hierarchy is one mounted cgroup hierarchy.
type Hierarchy struct {
	Name        string   // its directory's name, such as "cpu,cpuacct"
	Controllers []string // "cpu", "cpuacct"; "name=systemd"
	Path        string   // the container's cgroup in it, on the host
}

// Rootfs is a root file system under construction.
type Rootfs struct {
	cfg      Config
	root     *os.File // the new root; also the mount that is pivoted to
	path     string
	null     *os.File // the host's /dev/null
	readOnly []string // mounts that become read-only when all is in place
}

// Path gives the absolute path of the spec's root.
func Path(spec *specs.Spec, bundle string) (string, error) {
	if spec.Root == nil || spec.Root.Path == "" {
		return "", fmt.Errorf("root.path: the spec has none: %w", errdefs.ErrInvalidArgument)
	}
	p := spec.Root.Path
	if !path.IsAbs(p) {
		p = path.Join(bundle, p)
	}
	st, err := os.Stat(p)
	if errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("root.path: no root file system at %s: %w", p, errdefs.ErrNotFound)
	}
	if err != nil {
		return "", fmt.Errorf("root.path: %w", err)
	}
	if !st.IsDir() {
		return "", fmt.Errorf("root.path: %s is not a directory: %w", p, errdefs.ErrInvalidArgument)
	}
	return p, nil
}

// Open makes the root a mount of its own in the calling thread's mount
// namespace, which must not be the host's.
func Open(cfg Config) (*Rootfs, error) {
	r := &Rootfs{cfg: cfg, path: cfg.Path}
	// Nothing done here may show on the host, but mounts that the host makes
	// later may show here unless the spec says otherwise.
	propagation, err := r.propagation()
	if err != nil {
		return nil, err
	}
	flags := propagation
	if flags&(unix.MS_SHARED|unix.MS_UNBINDABLE) != 0 || flags == 0 {
		flags = unix.MS_SLAVE | unix.MS_REC
	}
	if r.sharesMounts(propagation) {
		// What is bound shared stays a peer of the host's mount. The new root alone
		// must not go where the host sees it.
		err = r.privateAround()
	} else {
		err = unix.Mount("", "/", "", uintptr(flags), "")
	}
	if err != nil {
		return nil, fmt.Errorf("set the propagation of the mount namespace: %w", err)
	}
	if r.null, err = hostNull(); err != nil {
		return nil, err
	}
	if r.root, err = r.clone(r.path, true); err != nil {
		r.null.Close()
		return nil, fmt.Errorf("root.path: %w", err)
	}
	if err := r.attachRoot(); err != nil {
		r.Close()
		return nil, err
	}
	umask := 0
	unix.Umask(umask) // the modes of the spec are meant as they stand
	return r, nil
}

// sharesMounts tells that binds of the container may pass their mounts on to the host.
func (r *Rootfs) sharesMounts(propagation int) bool {
	return propagation&unix.MS_SHARED != 0 && !r.cfg.NoPivot
}

// privateAround makes the mount that the root's path is in private: what is mounted
// there is not passed on.
func (r *Rootfs) privateAround() error {
	at, err := r.openHost(r.path)
	if err != nil {
		return err
	}
	defer at.Close()
	name, err := os.Readlink(fmt.Sprintf("/proc/thread-self/fd/%d", at.Fd()))
	if err != nil {
		return err
	}
	for ; name != "/"; name = path.Dir(name) {
		var stx unix.Statx_t
		if err := unix.Statx(unix.AT_FDCWD, name, unix.AT_SYMLINK_NOFOLLOW, 0, &stx); err != nil {
			return &os.PathError{Op: "statx", Path: name, Err: err}
		}
		if stx.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0 {
			break
		}
	}
	if err := unix.Mount("", name, "", unix.MS_PRIVATE, ""); err != nil {
		return &os.PathError{Op: "make private", Path: name, Err: err}
	}
	return nil
}

// attachRoot puts the root onto itself, private, as pivot_root wants it.
func (r *Rootfs) attachRoot() error {
	if err := mount.Propagate(r.root, unix.MS_PRIVATE); err != nil {
		return fmt.Errorf("root.path: %w", err)
	}
	at, err := r.openHost(r.path)
	if err != nil {
		return fmt.Errorf("root.path: %w", err)
	}
	defer at.Close()
	if err := mount.Attach(r.root, at); err != nil {
		return fmt.Errorf("root.path: %s: %w", r.path, err)
	}
	return nil
}

// Close lets go of the descriptors; what is mounted stays.
func (r *Rootfs) Close() {
	r.null.Close()
	r.root.Close()
}

// FD is the descriptor of the root. Without pivot_root nothing but the builder is
// in it after Pivot, and init has to change root itself.
func (r *Rootfs) FD() int { return int(r.root.Fd()) }

var propagations = map[string]int{
	"":           0,
	"shared":     unix.MS_SHARED | unix.MS_REC,
	"rshared":    unix.MS_SHARED | unix.MS_REC,
	"slave":      unix.MS_SLAVE | unix.MS_REC,
	"rslave":     unix.MS_SLAVE | unix.MS_REC,
	"private":    unix.MS_PRIVATE | unix.MS_REC,
	"rprivate":   unix.MS_PRIVATE | unix.MS_REC,
	"unbindable": unix.MS_UNBINDABLE | unix.MS_REC,
}

func (r *Rootfs) propagation() (int, error) {
	name := r.cfg.Spec.Linux.RootfsPropagation
	flags, ok := propagations[name]
	if !ok {
		return 0, fmt.Errorf("linux.rootfsPropagation: unknown value %q: %w", name, errdefs.ErrInvalidArgument)
	}
	return flags, nil
}

// hostNull opens the host's /dev/null and makes sure that it is the real one:
// it will cover files of the container, and must not be something that can be
// read (CVE-2025-31133).
func hostNull() (*os.File, error) {
	f, err := os.OpenFile("/dev/null", unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if !isNull(f) {
		f.Close()
		return nil, fmt.Errorf("/dev/null of the host is not the null device: %w", errdefs.ErrFailedPrecondition)
	}
	return f, nil
}

func isNull(f *os.File) bool {
	var st unix.Stat_t
	return unix.Fstat(int(f.Fd()), &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == unix.Mkdev(1, 3)
}

// Pivot makes the new root the root of every thread and process in the mount
// namespace, and drops the host's.
func (r *Rootfs) Pivot() error {
	if err := unix.Fchdir(int(r.root.Fd())); err != nil {
		return fmt.Errorf("enter the root file system: %w", err)
	}
	if r.cfg.NoPivot {
		if err := r.hideHost(); err != nil {
			return err
		}
		if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
			return fmt.Errorf("move the root file system to /: %w", err)
		}
		if err := unix.Chroot("."); err != nil {
			return fmt.Errorf("change root: %w", err)
		}
		return r.propagate()
	}
	var old *os.File
	if propagation, err := r.propagation(); err == nil && r.sharesMounts(propagation) {
		if old, err = mount.OpenTree("/"); err != nil {
			return err
		}
		defer old.Close()
	}
	// With both arguments ".", the old root ends up on top of the new one at /
	// and needs no directory (pivot_root(2)).
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("pivot_root to %s: %w", r.path, err)
	}
	// Most often no mount of the old root is shared (Open), and this reaches no host.
	if old != nil {
		if err := mount.Propagate(old, unix.MS_SLAVE|unix.MS_REC); err != nil {
			return fmt.Errorf("let go of the old root: %w", err)
		}
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount the old root: %w", err)
	}
	return r.propagate()
}

// propagate enters the new root and gives it the propagation of the spec, which
// pivot_root would not have let through.
func (r *Rootfs) propagate() error {
	if err := unix.Chdir("/"); err != nil {
		return fmt.Errorf("enter the new root: %w", err)
	}
	flags, err := r.propagation()
	if err != nil || flags == 0 || flags&unix.MS_PRIVATE != 0 {
		return err
	}
	if err := mount.Propagate(r.root, flags&^unix.MS_REC); err != nil {
		return fmt.Errorf("linux.rootfsPropagation: %w", err)
	}
	return nil
}

// Finish gives the mounts that had to be writable until now their final
// attributes.
func (r *Rootfs) Finish() error {
	for _, name := range r.readOnly {
		f, err := open(r.root, name)
		if err != nil {
			return fmt.Errorf("make %s read-only: %w", name, err)
		}
		err = mount.SetAttr(f, mount.Options{Set: unix.MOUNT_ATTR_RDONLY})
		f.Close()
		if err != nil {
			return fmt.Errorf("make %s read-only: %w", name, err)
		}
	}
	if r.cfg.Spec.Root.Readonly {
		if err := mount.SetAttr(r.root, mount.Options{Set: unix.MOUNT_ATTR_RDONLY}); err != nil {
			return fmt.Errorf("make the root read-only: %w", err)
		}
	}
	return nil
}
