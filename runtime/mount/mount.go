// Package mount puts file systems into the mount table of the calling thread.
//
// It speaks the mount API of Linux 5.2 and later (fsopen, fsconfig, fsmount,
// open_tree, move_mount, mount_setattr), because that API works on descriptors:
// a mount is first made detached, in nobody's mount table, and then moved onto a
// directory that is itself a descriptor, so no path is walked twice and no
// symbolic link can redirect it. Kernels without it get mount(2).
//
// Terms: a *tree* is a detached mount held by a descriptor; it vanishes with the
// last descriptor unless it is attached. A *target* is where it gets attached.
//
// The package imports nothing of berth and as little as possible of anything
// else: the shim and the runtime start from it.
package mount

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

// Mount is one mount as snapshotters describe it; it has the shape of
// containerd's core/mount.Mount.
//
//	mount.Mount{Type: "overlay", Source: "overlay", Options: []string{
//		"lowerdir=/layers/2:/layers/1", "upperdir=/upper", "workdir=/work"}}
//	mount.Mount{Type: "bind", Source: "/data", Options: []string{"rbind", "ro"}}
type Mount struct {
	Type    string   `json:"type"`
	Source  string   `json:"source"`
	Options []string `json:"options,omitempty"`
}

// All mounts the list in order onto one target. If one of them does not mount,
// those before it are taken away again.
func All(mounts []Mount, target string) error {
	for i, m := range mounts {
		if err := m.Mount(target); err != nil {
			for ; i > 0; i-- {
				_ = unix.Unmount(target, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
			}
			return err
		}
	}
	return nil
}

// Mount mounts m onto the path target, which must exist.
func (m Mount) Mount(target string) error {
	tree, err := m.Tree()
	if errors.Is(err, unix.ENOSYS) {
		return m.classic(target)
	}
	if err != nil {
		return err
	}
	defer tree.Close()
	if err := unix.MoveMount(int(tree.Fd()), "", unix.AT_FDCWD, target, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("mount %s on %s: %w", m.Type, target, kind(err))
	}
	return nil
}

// Tree makes m as a detached mount. Closing the file before it is attached
// undoes it.
func (m Mount) Tree() (*os.File, error) {
	opts, err := ParseOptions(m.Options)
	if err != nil {
		return nil, fmt.Errorf("mount %s from %s: %w", m.Type, m.Source, err)
	}
	var tree *os.File
	if opts.Bind || m.Type == "bind" || m.Type == "rbind" {
		recursive := opts.Recursive || m.Type == "rbind"
		tree, err = Clone(unix.AT_FDCWD, m.Source, recursive)
	} else {
		tree, err = New(m.Type, m.Source, opts)
	}
	if err != nil {
		return nil, err
	}
	if opts.Bind || m.Type == "bind" || m.Type == "rbind" {
		if err := SetAttr(tree, opts); err != nil {
			tree.Close()
			return nil, fmt.Errorf("mount %s from %s: %w", m.Type, m.Source, err)
		}
	}
	return tree, nil
}

// New makes a new superblock of the type fstype and a detached mount of it.
// Options that the file system itself refuses are reported in its own words,
// read from the kernel's log of the context.
func New(fstype, source string, opts Options) (*os.File, error) {
	if fstype != "overlay" || knowsLowerPlus() {
		return newTree(fstype, source, opts, true)
	}
	tree, err := newTree(fstype, source, opts, false)
	if errors.Is(err, errTooLong) {
		return nil, fmt.Errorf("mount overlay: %w", unix.ENOSYS)
	}
	return tree, err
}

// knowsLowerPlus says whether overlay has `lowerdir+`: since Linux 6.7. Trying it
// on an older kernel would put a line into the kernel's log for every container.
var knowsLowerPlus = sync.OnceValue(func() bool {
	var u unix.Utsname
	var major, minor int
	if err := unix.Uname(&u); err != nil {
		return false
	}
	if _, err := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor); err != nil {
		return false
	}
	return major > 6 || major == 6 && minor >= 7
})

func newTree(fstype, source string, opts Options, lowerPlus bool) (*os.File, error) {
	fd, err := unix.Fsopen(fstype, unix.FSOPEN_CLOEXEC)
	if err != nil {
		if err == unix.ENODEV {
			return nil, fmt.Errorf("mount %s: file system type not known to this kernel: %w", fstype, errdefs.ErrNotImplemented)
		}
		return nil, fmt.Errorf("mount %s: %w", fstype, err)
	}
	defer unix.Close(fd)
	if source != "" {
		// File systems without a source refuse the parameter; that is no error.
		_ = unix.FsconfigSetString(fd, "source", source)
	}
	for _, o := range opts.Data {
		key, value, has := strings.Cut(o, "=")
		switch {
		case key == "lowerdir" && fstype == "overlay" && lowerPlus:
			for _, dir := range splitLower(value) {
				if err = configure(fd, fstype, "lowerdir+", dir); err != nil {
					return nil, err
				}
			}
		case has:
			err = configure(fd, fstype, key, value)
		case key == "iversion":
			// mount(2) takes it for every file system. Those that can count changes do
			// so unasked, and the others refuse it here.
			_ = unix.FsconfigSetFlag(fd, key)
		default:
			if err = unix.FsconfigSetFlag(fd, key); err != nil {
				err = fmt.Errorf("mount %s: option %s: %w", fstype, key, explain(fd, err))
			}
		}
		if err != nil {
			return nil, err
		}
	}
	if opts.Set&unix.MOUNT_ATTR_RDONLY != 0 {
		// As with mount(2), the superblock is read-only, too: a device may be.
		if err := unix.FsconfigSetFlag(fd, "ro"); err != nil {
			return nil, fmt.Errorf("mount %s: option ro: %w", fstype, explain(fd, err))
		}
	}
	if err := unix.FsconfigCreate(fd); err != nil {
		if len(opts.Data) > 0 {
			// Many file systems look at their options here only, and do not say at which.
			fstype += " with " + strings.Join(opts.Data, ",")
		}
		return nil, fmt.Errorf("mount %s from %q: %w", fstype, source, explain(fd, err))
	}
	tree, err := unix.Fsmount(fd, unix.FSMOUNT_CLOEXEC, int(opts.Set))
	if err != nil {
		return nil, fmt.Errorf("mount %s from %q: %w", fstype, source, explain(fd, err))
	}
	return os.NewFile(uintptr(tree), fstype), nil
}

// maxValue is the longest value that fsconfig(2) takes.
const maxValue = 255

var errTooLong = errors.New("option value is longer than fsconfig takes")

// configure sets one option. A directory whose path is too long is named
// through a descriptor instead.
func configure(fd int, fstype, key, value string) error {
	if len(value) > maxValue {
		dir, err := unix.Open(value, unix.O_PATH|unix.O_CLOEXEC|unix.O_DIRECTORY, 0)
		if err != nil {
			return fmt.Errorf("mount %s: option %s=%s: %w", fstype, key, value, errTooLong)
		}
		defer unix.Close(dir)
		value = "/proc/thread-self/fd/" + strconv.Itoa(dir)
	}
	if err := unix.FsconfigSetString(fd, key, value); err != nil {
		return fmt.Errorf("mount %s: option %s=%s: %w", fstype, key, value, explain(fd, err))
	}
	return nil
}

// splitLower splits at colons that are not escaped and removes the escapes,
// which `lowerdir+` does not want.
func splitLower(joined string) []string {
	var dirs []string
	var dir strings.Builder
	for i := 0; i < len(joined); i++ {
		switch c := joined[i]; {
		case c == '\\' && i+1 < len(joined):
			i++
			dir.WriteByte(joined[i])
		case c == ':':
			dirs = append(dirs, dir.String())
			dir.Reset()
		default:
			dir.WriteByte(c)
		}
	}
	return append(dirs, dir.String())
}

// explain adds what the kernel logged on the file system context to err.
func explain(fd int, err error) error {
	var lines []string
	buf := make([]byte, 1024)
	for {
		n, rerr := unix.Read(fd, buf)
		if rerr != nil || n <= 0 {
			break
		}
		// Every message is "e text", "w text" or "i text".
		if line := strings.TrimSpace(string(buf[:n])); len(line) > 2 && line[0] == 'e' {
			lines = append(lines, line[2:])
		}
	}
	if len(lines) > 0 {
		err = fmt.Errorf("%w (%s)", err, strings.Join(lines, "; "))
	}
	return kind(err)
}

// kind gives an errno the errdefs kind that callers branch on.
func kind(err error) error {
	switch {
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("%w: %w", err, errdefs.ErrNotFound)
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
		return fmt.Errorf("%w: %w", err, errdefs.ErrInvalidArgument)
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Errorf("%w: %w", err, errdefs.ErrPermissionDenied)
	}
	return err
}

// Unmount takes the topmost mount off target; flags are those of umount2(2).
// A symbolic link at target is never followed. That nothing is mounted there is
// not an error.
func Unmount(target string, flags int) error {
	err := unix.Unmount(target, flags|unix.UMOUNT_NOFOLLOW)
	if err != nil && err != unix.EINVAL && err != unix.ENOENT {
		return fmt.Errorf("unmount %s: %w", target, kind(err))
	}
	return nil
}

// classic mounts with mount(2).
func (m Mount) classic(target string) error {
	opts, err := ParseOptions(m.Options)
	if err != nil {
		return fmt.Errorf("mount %s from %s: %w", m.Type, m.Source, err)
	}
	fail := func(err error) error { return fmt.Errorf("mount %s on %s: %w", m.Type, target, kind(err)) }
	flags := opts.classicFlags()
	if opts.Bind || m.Type == "bind" || m.Type == "rbind" {
		bind := uintptr(unix.MS_BIND)
		if opts.Recursive || m.Type == "rbind" {
			bind |= unix.MS_REC
		}
		if err := unix.Mount(m.Source, target, "", bind, ""); err != nil {
			return fail(err)
		}
		if opts.Set|opts.Clear != 0 {
			if err := unix.Mount("", target, "", unix.MS_REMOUNT|unix.MS_BIND|flags, ""); err != nil {
				_ = unix.Unmount(target, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
				return fail(err)
			}
		}
	} else {
		data := strings.Join(opts.Data, ",")
		if len(data) >= os.Getpagesize() && m.Type == "overlay" {
			short, done, err := shorten(opts.Data)
			if err != nil {
				return fail(err)
			}
			defer done()
			data = strings.Join(short, ",")
		}
		if len(data) >= os.Getpagesize() {
			return fail(fmt.Errorf("%d bytes of options exceed one page: %w", len(data), errdefs.ErrInvalidArgument))
		}
		if err := unix.Mount(m.Source, target, m.Type, flags, data); err != nil {
			return fail(err)
		}
	}
	for _, p := range opts.Propagation {
		if err := unix.Mount("", target, "", uintptr(p), ""); err != nil {
			_ = unix.Unmount(target, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
			return fail(err)
		}
	}
	return nil
}

// shorten names the lower directories of an overlay through descriptors, whose
// paths are so short that 127 of them fit into the one page that mount(2) takes.
// done closes them; the mount does not need them.
func shorten(data []string) (short []string, done func(), err error) {
	var fds []int
	done = func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}
	for _, o := range data {
		value, lower := strings.CutPrefix(o, "lowerdir=")
		if !lower {
			short = append(short, o)
			continue
		}
		var paths []string
		for _, dir := range splitLower(value) {
			fd, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC|unix.O_DIRECTORY, 0)
			if err != nil {
				done()
				return nil, nil, fmt.Errorf("lowerdir %s: %w", dir, kind(err))
			}
			fds = append(fds, fd)
			paths = append(paths, "/proc/thread-self/fd/"+strconv.Itoa(fd))
		}
		short = append(short, "lowerdir="+strings.Join(paths, ":"))
	}
	return short, done, nil
}
