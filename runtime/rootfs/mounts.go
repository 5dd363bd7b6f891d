package rootfs

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"berth/runtime/initproc"
	"berth/runtime/mount"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// maxProcWork bounds what init has to do for proc file systems, in system calls and
// memory of its program and in descriptors of one message.
const maxProcWork = 256

// ProcMounts lists the proc file systems that init has to mount, in the order
// of the spec.
func ProcMounts(spec *specs.Spec) ([]initproc.ProcMount, error) {
	var list []initproc.ProcMount
	work := 0
	for _, m := range spec.Mounts {
		if m.Type != "proc" {
			continue
		}
		o, err := mount.ParseOptions(m.Options)
		if err != nil {
			return nil, fmt.Errorf("mounts: %s: %w", m.Destination, err)
		}
		if !o.Bind {
			list = append(list, initproc.ProcMount{Data: o.Data, Attrs: o.Set})
			work += 4 + len(o.Data) + len(strings.Join(o.Data, ""))/64
			if work > maxProcWork {
				return nil, fmt.Errorf("mounts: %d proc file systems with their options are more than init can make: %w", len(list), errdefs.ErrInvalidArgument)
			}
		}
	}
	return list, nil
}

// Mounts makes the mounts of the spec. proc are the detached mounts that init
// made for ProcMounts.
func (r *Rootfs) Mounts(proc []*os.File) error {
	for _, m := range r.cfg.Spec.Mounts {
		var tree *os.File
		o, err := mount.ParseOptions(m.Options)
		if err != nil {
			return fmt.Errorf("mounts: %s: %w", m.Destination, err)
		}
		if m.Type == "proc" && !o.Bind {
			tree, proc = proc[0], proc[1:]
		}
		if err := r.mount(m, o, tree); err != nil {
			return fmt.Errorf("mounts: %s on %s: %w", describe(m, o), m.Destination, err)
		}
	}
	return nil
}

func describe(m specs.Mount, o mount.Options) string {
	if isBind(m, o) {
		return "bind " + m.Source
	}
	return m.Type
}

func isBind(m specs.Mount, o mount.Options) bool { return o.Bind || m.Type == "bind" }

// inside gives where a mount goes within the root. A destination may be written as
// the path that it has on the host, as runc takes it.
func (r *Rootfs) inside(dest string) string {
	dest = path.Clean("/" + dest)
	if rest, ok := strings.CutPrefix(dest, path.Clean(r.path)+"/"); ok {
		return "/" + rest
	}
	return dest
}

// mount makes one mount; tree is it when it is made already.
func (r *Rootfs) mount(m specs.Mount, o mount.Options, tree *os.File) error {
	dest := r.inside(m.Destination)
	if len(m.UIDMappings)+len(m.GIDMappings) > 0 {
		o.IDMap = true
	}
	if o.IDMap && !isBind(m, o) {
		return fmt.Errorf("id-mapped mounts are only supported for bind-mounts: %w", errdefs.ErrInvalidArgument)
	}
	if o.Remount {
		return r.remount(dest, o)
	}
	if dest == "/dev" && o.Set&unix.MOUNT_ATTR_RDONLY != 0 {
		// The devices are still to be made in it.
		o.Set &^= unix.MOUNT_ATTR_RDONLY
		r.readOnly = append(r.readOnly, dest)
	}
	if m.Type == "cgroup" || m.Type == "cgroup2" {
		if !isBind(m, o) {
			return r.cgroups(dest, o)
		}
	}
	if o.CopyUp && o.Set&unix.MOUNT_ATTR_RDONLY != 0 {
		// It is still to be filled.
		o.Set &^= unix.MOUNT_ATTR_RDONLY
		r.readOnly = append(r.readOnly, dest)
	}
	var err error
	var host string // the path that is bound, if one is
	switch {
	case tree != nil:
	case isBind(m, o):
		if host = m.Source; !path.IsAbs(host) {
			host = path.Join(r.cfg.Bundle, host)
		}
		tree, err = r.bind(m, host, o)
	default:
		if o, err = r.inherit(dest, m.Type, o); err == nil {
			tree, err = r.newTree(m.Type, m.Source, o)
		}
		if m.Type == "sysfs" && r.cfg.Privileged != nil && errors.Is(err, unix.EPERM) {
			host = "/sys"
			tree, err = r.hostSys(o)
		}
	}
	if err != nil {
		return err
	}
	defer tree.Close()
	target, err := r.target(dest, tree, m, o)
	if err != nil {
		return err
	}
	defer target.Close()
	if o.CopyUp {
		if err := copyUp(target, tree); err != nil {
			return err
		}
	}
	if err := mount.Attach(tree, target); err != nil {
		return err
	}
	// Propagation can only be given to what is attached, and the attributes of a
	// new superblock's mount were given when it was made.
	o.Set, o.Clear = 0, 0
	if err := mount.SetAttr(tree, o); err != nil || host == "" {
		return err
	}
	return r.protectCgroups(tree, host)
}

// bind makes a detached copy of the source of a bind mount, with its own
// attributes but, unless told otherwise, those that the source's mount has.
func (r *Rootfs) bind(m specs.Mount, src string, o mount.Options) (*os.File, error) {
	var tree *os.File
	var err error
	if o.IDMap {
		tree, err = r.cloneMapped(m, src, o)
	} else {
		tree, err = r.clone(src, o.Recursive)
	}
	if err != nil {
		return nil, err
	}
	o.Propagation, o.RecSet, o.RecClear = nil, 0, 0
	if err := mount.SetAttr(tree, o); err != nil {
		tree.Close()
		return nil, err
	}
	return tree, nil
}

// target opens where the mount goes, made if missing, and refuses the places
// where a mount would disarm the container's own protections.
func (r *Rootfs) target(dest string, tree *os.File, m specs.Mount, o mount.Options) (*os.File, error) {
	if dest == "/" {
		return nil, fmt.Errorf("the root itself cannot be mounted over: %w", errdefs.ErrInvalidArgument)
	}
	dir, err := isType(tree, unix.S_IFDIR)
	if err != nil {
		return nil, err
	}
	var target *os.File
	switch {
	case m.Type == "proc" || m.Type == "sysfs":
		target, err = r.ordinary(dest)
	case dir:
		target, err = makeDir(r.root, dest, 0o755)
	default:
		target, err = makeFile(r.root, dest)
	}
	if err != nil {
		return nil, err
	}
	if err = sameKind(dir, target); err == nil {
		err = checkProc(dest, target, tree, m, o)
	}
	if err != nil {
		target.Close()
		return nil, err
	}
	return target, nil
}

// sameKind says what the kernel's refusal of a directory on a file, or the other way
// round, would only call an invalid argument.
func sameKind(dir bool, target *os.File) error {
	at, err := isType(target, unix.S_IFDIR)
	switch {
	case err != nil || at == dir:
		return err
	case dir:
		return fmt.Errorf("a directory cannot be mounted on a file: %w", errdefs.ErrInvalidArgument)
	}
	return fmt.Errorf("a file cannot be mounted on a directory: %w", errdefs.ErrInvalidArgument)
}

// ordinary makes the place of a proc or a sysfs, which must be a directory at
// that very place: with a link, also one put there at the last moment, the masked
// paths would end up elsewhere (CVE-2019-16884, CVE-2019-19921).
func (r *Rootfs) ordinary(dest string) (*os.File, error) {
	parent, err := makeDir(r.root, path.Dir(dest), 0o755)
	if err != nil {
		return nil, err
	}
	defer parent.Close()
	if err := unix.Mkdirat(int(parent.Fd()), path.Base(dest), 0o755); err != nil && err != unix.EEXIST && err != unix.EROFS {
		return nil, err
	}
	target, err := openHere(parent, dest)
	if errors.Is(err, unix.ELOOP) {
		return nil, fmt.Errorf("must be mounted on ordinary directory: %w", errdefs.ErrInvalidArgument)
	}
	if err != nil {
		return nil, err
	}
	if dir, err := isType(target, unix.S_IFDIR); err != nil || !dir {
		target.Close()
		return nil, errors.Join(err, fmt.Errorf("must be mounted on ordinary directory: %w", errdefs.ErrInvalidArgument))
	}
	return target, nil
}

// procFiles may be covered: lxcfs and the like show the container's own numbers
// there, and none of them controls anything.
var procFiles = map[string]bool{
	"/proc/cpuinfo": true, "/proc/diskstats": true, "/proc/meminfo": true, "/proc/stat": true, "/proc/swaps": true,
	"/proc/uptime": true, "/proc/loadavg": true, "/proc/slabinfo": true, "/proc/net/dev": true,
	"/proc/sys/kernel/ns_last_pid": true, "/proc/sys/crypto/fips_enabled": true,
}

// checkProc refuses mounts into /proc, which is where the runtime and security
// modules take their orders from.
func checkProc(dest string, target, tree *os.File, m specs.Mount, o mount.Options) error {
	if dest == "/proc" {
		proc, err := onFS(tree, unix.PROC_SUPER_MAGIC)
		if err == nil && !proc {
			err = fmt.Errorf("only a proc file system can be mounted there: %w", errdefs.ErrInvalidArgument)
		}
		return err
	}
	inProc, err := onFS(target, unix.PROC_SUPER_MAGIC)
	if err != nil || !inProc && !below(dest, "/proc") {
		return err
	}
	if procFiles[dest] && isBind(m, o) {
		return nil
	}
	return fmt.Errorf("not allowed inside /proc: %w", errdefs.ErrInvalidArgument)
}

// remount changes the attributes of what is mounted at dest.
func (r *Rootfs) remount(dest string, o mount.Options) error {
	f, err := open(r.root, dest)
	if err != nil {
		return err
	}
	defer f.Close()
	return mount.SetAttr(f, o)
}

// cgroups mounts the container's cgroups.
func (r *Rootfs) cgroups(dest string, o mount.Options) error {
	c := r.cfg.Cgroups
	if c.ReadOnly {
		o.Set, o.Clear = o.Set|unix.MOUNT_ATTR_RDONLY, o.Clear&^unix.MOUNT_ATTR_RDONLY
	}
	target, err := makeDir(r.root, dest, 0o755)
	if err != nil {
		return err
	}
	defer target.Close()
	if c.Namespace {
		if err := c.Enter(); err != nil {
			return err
		}
	}
	if c.Unified {
		tree, err := r.hierarchy(c.Hierarchies[0], o)
		if err != nil {
			return err
		}
		defer tree.Close()
		return mount.Attach(tree, target)
	}
	// cgroup v1: a directory for each hierarchy, in a small tmpfs.
	dir, err := r.newTree("tmpfs", "tmpfs", mount.Options{Set: o.Set &^ unix.MOUNT_ATTR_RDONLY, Data: []string{"mode=755"}})
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := mount.Attach(dir, target); err != nil {
		return err
	}
	for _, h := range c.Hierarchies {
		if err := r.hierarchyIn(dir, h, o); err != nil {
			return fmt.Errorf("hierarchy %s: %w", h.Name, err)
		}
	}
	return mount.SetAttr(dir, mount.Options{Set: o.Set & unix.MOUNT_ATTR_RDONLY, Propagation: o.Propagation})
}

func (r *Rootfs) hierarchyIn(dir *os.File, h Hierarchy, o mount.Options) error {
	tree, err := r.hierarchy(h, o)
	if err != nil {
		return err
	}
	defer tree.Close()
	// The directory's file system is this function's alone yet.
	if err := unix.Mkdirat(int(dir.Fd()), h.Name, 0o755); err != nil {
		return err
	}
	if err := mount.AttachAt(tree, dir, h.Name); err != nil {
		return err
	}
	for _, c := range h.Controllers {
		// What is found as cpu,cpuacct is also looked for as cpu.
		if c != h.Name && len(h.Controllers) > 1 {
			if err := unix.Symlinkat(h.Name, int(dir.Fd()), c); err != nil {
				return err
			}
		}
	}
	return nil
}

// hierarchy gives a detached mount of one hierarchy that shows no more of it
// than the container's own cgroup.
func (r *Rootfs) hierarchy(h Hierarchy, o mount.Options) (*os.File, error) {
	if r.cfg.Cgroups.Namespace {
		if r.cfg.Cgroups.Unified {
			return mount.New("cgroup2", "cgroup2", mount.Options{Set: o.Set})
		}
		return mount.New("cgroup", "cgroup", mount.Options{Set: o.Set, Data: h.Controllers})
	}
	tree, err := mount.Clone(unix.AT_FDCWD, h.Path, true)
	if err != nil {
		return nil, err
	}
	if err := mount.SetAttr(tree, mount.Options{Set: o.Set, Clear: o.Clear}); err != nil {
		tree.Close()
		return nil, err
	}
	return tree, nil
}
