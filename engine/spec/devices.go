package spec

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// devices returns the nodes to be made beyond the runtime's own (/dev/null and
// the like), and adds the cgroup's device rules to res: docker's list, then one
// for each device and --device-cgroup-rule.
func devices(hc *container.HostConfig, res *specs.LinuxResources) ([]specs.LinuxDevice, error) {
	if hc.Privileged {
		res.Devices = []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}
		return hostDevices("/dev", "/dev")
	}
	// The runtime adds what every container needs (ptmx, the pts, mknod); this is docker's list on top.
	rule := func(allow bool, kind string, major, minor int64) specs.LinuxDeviceCgroup {
		return specs.LinuxDeviceCgroup{Allow: allow, Type: kind, Major: &major, Minor: &minor, Access: "rwm"}
	}
	res.Devices = []specs.LinuxDeviceCgroup{
		{Allow: false, Access: "rwm"},
		rule(true, "c", 1, 5), rule(true, "c", 1, 3), rule(true, "c", 1, 9), rule(true, "c", 1, 8), // zero null urandom random
		rule(true, "c", 5, 0), rule(true, "c", 5, 1), // tty console
		rule(false, "c", 10, 229), // fuse
	}
	var all []specs.LinuxDevice
	for _, m := range hc.Devices {
		access := m.CgroupPermissions
		if access == "" {
			access = "rwm"
		}
		inside := m.PathInContainer
		if inside == "" {
			inside = m.PathOnHost
		}
		// A link such as /dev/disk/by-id/… stands for what it leads to.
		real, err := filepath.EvalSymlinks(m.PathOnHost)
		if err != nil {
			return nil, fmt.Errorf("error gathering device information while adding custom device %q: no such file or directory: %w", m.PathOnHost, errdefs.ErrInvalidArgument)
		}
		devs, err := hostDevices(real, inside)
		if err != nil {
			return nil, err
		}
		if len(devs) == 0 {
			return nil, fmt.Errorf("error gathering device information while adding custom device %q: not a device node: %w", m.PathOnHost, errdefs.ErrInvalidArgument)
		}
		for _, d := range devs {
			res.Devices = append(res.Devices, specs.LinuxDeviceCgroup{Allow: true, Type: d.Type, Major: &d.Major, Minor: &d.Minor, Access: access})
		}
		all = append(all, devs...)
	}
	for _, r := range hc.DeviceCgroupRules {
		dc, err := parseDeviceRule(r)
		if err != nil {
			return nil, err
		}
		res.Devices = append(res.Devices, dc)
	}
	return all, nil
}

// hostDevices lists the device nodes at or below path, as they shall appear
// at or below inside. Terminals and what the runtime mounts itself are left out.
func hostDevices(path, inside string) ([]specs.LinuxDevice, error) {
	var all []specs.LinuxDevice
	err := filepath.WalkDir(path, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) && p != path {
				return nil // gone since it was listed
			}
			return fmt.Errorf("list devices: %w", err)
		}
		if e.IsDir() {
			switch p { // mounted anew, or only links and sockets
			case "/dev/pts", "/dev/shm", "/dev/fd", "/dev/mqueue", "/dev/.udev":
				return filepath.SkipDir
			}
			return nil
		}
		// The console is the container's own terminal, if it has one.
		if e.Type()&fs.ModeDevice == 0 || p == "/dev/console" {
			return nil
		}
		var st unix.Stat_t
		if err := unix.Lstat(p, &st); err != nil {
			return nil // as above
		}
		kind := "b"
		if e.Type()&fs.ModeCharDevice != 0 {
			kind = "c"
		}
		mode := os.FileMode(st.Mode &^ unix.S_IFMT)
		all = append(all, specs.LinuxDevice{
			Path: inside + strings.TrimPrefix(p, path), Type: kind,
			Major: int64(unix.Major(st.Rdev)), Minor: int64(unix.Minor(st.Rdev)),
			FileMode: &mode, UID: &st.Uid, GID: &st.Gid,
		})
		return nil
	})
	return all, err
}

// deviceRule is the syntax of cgroup v1's devices.allow, which docker took over.
var deviceRule = regexp.MustCompile(`^([acb]) ([0-9]+|\*):([0-9]+|\*) ([rwm]{1,3})$`)

// parseDeviceRule reads "c 42:* rwm".
func parseDeviceRule(s string) (specs.LinuxDeviceCgroup, error) {
	m := deviceRule.FindStringSubmatch(s)
	if m == nil {
		return specs.LinuxDeviceCgroup{}, fmt.Errorf("invalid device cgroup rule format: '%s': %w", s, errdefs.ErrInvalidArgument)
	}
	// The spec writes "*" as -1.
	number := func(s string) *int64 {
		n := int64(-1)
		if s != "*" {
			v, err := strconv.ParseInt(s, 10, 64)
			if err == nil {
				n = v
			}
		}
		return &n
	}
	return specs.LinuxDeviceCgroup{Allow: true, Type: m[1], Major: number(m[2]), Minor: number(m[3]), Access: m[4]}, nil
}
