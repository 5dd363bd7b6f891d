package mount

import (
	"fmt"
	"slices"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

// Options are mount options sorted by what they act on: the mount point, the
// mounts below it, its propagation, or the file system's superblock.
type Options struct {
	Set, Clear       uint64 // MOUNT_ATTR_* of the mount itself
	RecSet, RecClear uint64 // MOUNT_ATTR_* of the whole tree (the r* options)
	Propagation      []int  // MS_SHARED, MS_SLAVE|MS_REC, …, in order
	Bind, Recursive  bool
	IDMap, RecIDMap  bool
	CopyUp           bool     // tmpcopyup: fill the new tmpfs with what the target held
	Remount          bool     // only change what is mounted there already
	Data             []string // for the file system
}

type attrOption struct {
	clear bool
	attr  uint64
}

// attrOptions are the options that are attributes of a mount. The ones that
// choose an access time mode first clear the field (__ATIME), as the modes
// exclude one another.
var attrOptions = map[string]attrOption{
	"ro":            {false, unix.MOUNT_ATTR_RDONLY},
	"rw":            {true, unix.MOUNT_ATTR_RDONLY},
	"nosuid":        {false, unix.MOUNT_ATTR_NOSUID},
	"suid":          {true, unix.MOUNT_ATTR_NOSUID},
	"nodev":         {false, unix.MOUNT_ATTR_NODEV},
	"dev":           {true, unix.MOUNT_ATTR_NODEV},
	"noexec":        {false, unix.MOUNT_ATTR_NOEXEC},
	"exec":          {true, unix.MOUNT_ATTR_NOEXEC},
	"nodiratime":    {false, unix.MOUNT_ATTR_NODIRATIME},
	"diratime":      {true, unix.MOUNT_ATTR_NODIRATIME},
	"relatime":      {false, unix.MOUNT_ATTR_RELATIME},
	"norelatime":    {true, unix.MOUNT_ATTR_RELATIME},
	"noatime":       {false, unix.MOUNT_ATTR_NOATIME},
	"atime":         {true, unix.MOUNT_ATTR_NOATIME},
	"strictatime":   {false, unix.MOUNT_ATTR_STRICTATIME},
	"nostrictatime": {true, unix.MOUNT_ATTR_STRICTATIME},
	"nosymfollow":   {false, unix.MOUNT_ATTR_NOSYMFOLLOW},
	"symfollow":     {true, unix.MOUNT_ATTR_NOSYMFOLLOW},
}

// atimeOptions choose the access time mode.
var atimeOptions = map[string]bool{
	"relatime": true, "norelatime": true, "noatime": true, "atime": true, "strictatime": true, "nostrictatime": true,
}

var propagationOptions = map[string]int{
	"shared":      unix.MS_SHARED,
	"rshared":     unix.MS_SHARED | unix.MS_REC,
	"private":     unix.MS_PRIVATE,
	"rprivate":    unix.MS_PRIVATE | unix.MS_REC,
	"slave":       unix.MS_SLAVE,
	"rslave":      unix.MS_SLAVE | unix.MS_REC,
	"unbindable":  unix.MS_UNBINDABLE,
	"runbindable": unix.MS_UNBINDABLE | unix.MS_REC,
}

// ParseOptions sorts options as they stand in an OCI spec or in /etc/fstab
// (runtime-spec config.md, "Linux mount options"). Unknown ones are the file
// system's own.
func ParseOptions(options []string) (Options, error) {
	var o Options
	for _, name := range options {
		if a, ok := attrOptions[name]; ok {
			apply(&o.Set, &o.Clear, a, atimeOptions[name])
			continue
		}
		if len(name) > 1 && name[0] == 'r' {
			if a, ok := attrOptions[name[1:]]; ok {
				apply(&o.RecSet, &o.RecClear, a, atimeOptions[name[1:]])
				continue
			}
		}
		if p, ok := propagationOptions[name]; ok {
			o.Propagation = append(o.Propagation, p)
			continue
		}
		switch name {
		case "", "defaults", "async", "loud", "nomand", "noiversion", "silent", "nolazytime", "norbind":
			// The kernel's defaults.
		case "bind":
			o.Bind = true
		case "rbind":
			o.Bind, o.Recursive = true, true
		case "idmap":
			o.IDMap = true
		case "ridmap":
			o.IDMap, o.RecIDMap = true, true
		case "tmpcopyup":
			o.CopyUp = true
		case "remount":
			o.Remount = true
		default:
			for i := range len(name) {
				if name[i] == 0 {
					return o, fmt.Errorf("mount option %q holds a NUL byte: %w", name, errdefs.ErrInvalidArgument)
				}
			}
			o.Data = append(o.Data, name)
		}
	}
	return o, nil
}

func apply(set, clear *uint64, a attrOption, atime bool) {
	if atime {
		*set &^= unix.MOUNT_ATTR__ATIME
		*clear |= unix.MOUNT_ATTR__ATIME
		if !a.clear {
			*set |= a.attr
		}
		return
	}
	if a.clear {
		*set &^= a.attr
		*clear |= a.attr
		return
	}
	*clear &^= a.attr
	*set |= a.attr
}

// classicFlags gives the attributes as flags of mount(2).
func (o Options) classicFlags() uintptr {
	var f uintptr
	for attr, flag := range map[uint64]uintptr{
		unix.MOUNT_ATTR_RDONLY:      unix.MS_RDONLY,
		unix.MOUNT_ATTR_NOSUID:      unix.MS_NOSUID,
		unix.MOUNT_ATTR_NODEV:       unix.MS_NODEV,
		unix.MOUNT_ATTR_NOEXEC:      unix.MS_NOEXEC,
		unix.MOUNT_ATTR_NODIRATIME:  unix.MS_NODIRATIME,
		unix.MOUNT_ATTR_NOATIME:     unix.MS_NOATIME,
		unix.MOUNT_ATTR_STRICTATIME: unix.MS_STRICTATIME,
	} {
		if o.Set&attr != 0 {
			f |= flag
		}
	}
	return f
}

// OptionNames lists the options that do not depend on the file system, sorted:
// those that ParseOptions acts on, and those of every superblock.
func OptionNames() []string {
	names := []string{"sync", "dirsync", "lazytime", "mand", "iversion", "defaults", "async", "loud", "nomand", "noiversion", "silent", "nolazytime", "bind", "rbind", "norbind", "idmap", "ridmap",
		"tmpcopyup", "remount"}
	for name := range attrOptions {
		names = append(names, name, "r"+name)
	}
	for name := range propagationOptions {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
