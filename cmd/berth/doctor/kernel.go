package doctor

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// OldestMajor and OldestMinor are the oldest kernel that has what the engine
// cannot do without: pidfds and clone3 (5.3), and the new mount API's overlay
// options (5.2).
const OldestMajor, OldestMinor = 5, 4

func user(m Machine) []Finding {
	if m.Euid == 0 {
		return good("user", "root")
	}
	return warning("user", "not root: the engine cannot run as this user, and what needs root was not tried", "sudo berth doctor")
}

func kernel(m Machine) []Finding {
	var major, minor int
	if _, err := fmt.Sscanf(m.Release, "%d.%d", &major, &minor); err != nil {
		return warning("kernel", "its version cannot be read: "+m.Release, "uname -r")
	}
	if major < OldestMajor || major == OldestMajor && minor < OldestMinor {
		return bad("kernel", fmt.Sprintf("Linux %s is older than %d.%d: no pidfds, and no mounts by descriptor", m.Release, OldestMajor, OldestMinor), "apt-get install linux-image-"+architecture())
	}
	return good("kernel", "Linux %s", m.Release)
}

// architecture is Debian's name of this machine's.
func architecture() string {
	var u unix.Utsname
	if unix.Uname(&u) == nil && unix.ByteSliceToString(u.Machine[:]) == "aarch64" {
		return "arm64"
	}
	return "amd64"
}

// namespaces are files of the process.
func namespaces(m Machine) []Finding {
	var lacking, optional []string
	for _, ns := range []string{"mnt", "pid", "net", "ipc", "uts", "cgroup", "user", "time"} {
		switch {
		case exists(m.Proc, "self/ns", ns):
		case ns == "cgroup" || ns == "user" || ns == "time":
			optional = append(optional, ns)
		default:
			lacking = append(lacking, ns)
		}
	}
	mend := "apt-get install linux-image-" + architecture()
	if len(lacking) > 0 {
		return bad("namespaces", "the kernel was built without: "+strings.Join(lacking, " "), mend)
	}
	if len(optional) > 0 {
		return warning("namespaces", "the kernel was built without, and containers cannot have their own: "+strings.Join(optional, " "), mend)
	}
	return good("namespaces", "all")
}

// controllers are what limits need; the names are those of both versions.
var controllers = []string{"cpu", "memory", "pids", "cpuset"}

func cgroups(m Machine) []Finding {
	root := filepath.Join(m.Sys, "fs/cgroup")
	if !exists(root) {
		return bad("cgroups", "there is no "+root, "mount -t cgroup2 cgroup2 /sys/fs/cgroup")
	}
	var lacking []string
	if exists(root, "cgroup.controllers") {
		has := strings.Fields(text(root, "cgroup.controllers"))
		for _, c := range controllers {
			if !slices.Contains(has, c) {
				lacking = append(lacking, c)
			}
		}
		if len(lacking) > 0 {
			parameter := "systemd.unified_cgroup_hierarchy=1" // version 1 has them
			if slices.Contains(lacking, "memory") {
				parameter = "cgroup_enable=memory"
			}
			return warning("cgroups", "version 2 without these controllers, so that their limits cannot be set: "+strings.Join(lacking, " "), bootWith(parameter))
		}
		return good("cgroups", "version 2: %s", strings.Join(has, " "))
	}
	for _, c := range controllers {
		if !exists(root, c) {
			lacking = append(lacking, c)
		}
	}
	layout := "version 1"
	if exists(root, "unified/cgroup.controllers") {
		layout = "version 1, with an empty version 2 beside it"
	}
	if len(lacking) == len(controllers) {
		return bad("cgroups", "none are mounted", "mount -t cgroup2 cgroup2 /sys/fs/cgroup")
	}
	if len(lacking) > 0 {
		c := lacking[0]
		return warning("cgroups", layout+" without these controllers, so that their limits cannot be set: "+strings.Join(lacking, " "),
			fmt.Sprintf("mkdir -p /sys/fs/cgroup/%[1]s && mount -t cgroup -o %[1]s cgroup /sys/fs/cgroup/%[1]s", c))
	}
	if !exists(root, "memory/memory.memsw.limit_in_bytes") {
		return warning("cgroups", layout+": swap is not counted, so that --memory-swap cannot be set",
			bootWith("swapaccount=1"))
	}
	return good("cgroups", "%s: %s", layout, strings.Join(controllers, " "))
}

// bootWith is how the kernel gets a parameter on machines that GRUB boots.
func bootWith(parameter string) string {
	return `sed -i 's/^GRUB_CMDLINE_LINUX="/&` + parameter + ` /' /etc/default/grub && update-grub && reboot`
}

func seccomp(m Machine) []Finding {
	if !exists(m.Proc, "sys/kernel/seccomp/actions_avail") {
		return bad("seccomp", "the kernel was built without filters of system calls: only --security-opt seccomp=unconfined works", "apt-get install linux-image-"+architecture())
	}
	return good("seccomp", "filters: %s", text(m.Proc, "sys/kernel/seccomp/actions_avail"))
}

// modules are the security modules, which are good to have.
func modules(m Machine) []Finding {
	var has []string
	if text(m.Sys, "module/apparmor/parameters/enabled") == "Y" {
		has = append(has, "AppArmor")
	}
	if enforce := text(m.Sys, "fs/selinux/enforce"); enforce != "" {
		has = append(has, "SELinux "+map[bool]string{true: "enforcing", false: "permissive"}[enforce == "1"])
	}
	if len(has) == 0 {
		return good("security", "neither AppArmor nor SELinux: containers are confined by capabilities, seccomp and namespaces")
	}
	return good("security", "%s", strings.Join(has, ", "))
}

func userns(m Machine) []Finding {
	switch {
	case !exists(m.Proc, "self/ns/user"):
		return nil // namespaces has said it
	case text(m.Proc, "sys/user/max_user_namespaces") == "0":
		return warning("userns", "no user namespace may be made: containers cannot have users of their own", "sysctl -w user.max_user_namespaces=15000")
	case text(m.Proc, "sys/kernel/unprivileged_userns_clone") == "0":
		return warning("userns", "only root may make user namespaces: nothing works rootless", "sysctl -w kernel.unprivileged_userns_clone=1")
	case text(m.Proc, "sys/kernel/apparmor_restrict_unprivileged_userns") == "1":
		return warning("userns", "AppArmor keeps user namespaces from those who are not root: nothing works rootless", "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0")
	}
	return good("userns", "up to %s", text(m.Proc, "sys/user/max_user_namespaces"))
}
