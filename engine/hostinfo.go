package engine

import (
	"bufio"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"berth/engine/release"
	"berth/runtime/pid1"

	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/api/types/system"
	"golang.org/x/sys/unix"
)

// KernelVersion is the release of the running kernel ("6.1.0-18-amd64").
func KernelVersion() (string, error) {
	uts, err := uname()
	return unix.ByteSliceToString(uts.Release[:]), err
}

func uname() (uts unix.Utsname, err error) {
	if err = unix.Uname(&uts); err != nil {
		err = fmt.Errorf("asking for the kernel's name: %w", err)
	}
	return uts, err
}

// hostInfo is what GET /info says of the machine and of what this engine can do on any machine; the caller adds the
// counts and names of its own.
func hostInfo() (system.Info, error) {
	uts, err := uname()
	if err != nil {
		return system.Info{}, err
	}
	var mem unix.Sysinfo_t
	if err := unix.Sysinfo(&mem); err != nil {
		return system.Info{}, fmt.Errorf("asking for the size of the memory: %w", err)
	}
	name, version := osRelease("/etc/os-release")
	build := release.This()
	info := system.Info{
		Name:            unix.ByteSliceToString(uts.Nodename[:]),
		KernelVersion:   unix.ByteSliceToString(uts.Release[:]),
		Architecture:    unix.ByteSliceToString(uts.Machine[:]),
		OperatingSystem: name, OSVersion: version, OSType: "linux",
		NCPU: runtime.NumCPU(), MemTotal: int64(mem.Totalram) * int64(mem.Unit),
		NGoroutines: runtime.NumGoroutine(), NFd: countDir("/proc/self/fd"),
		SystemTime:      time.Now().Format(time.RFC3339Nano),
		ServerVersion:   build.Version,
		DriverStatus:    [][2]string{{"Supports d_type", "true"}},
		FirewallBackend: &system.FirewallInfo{Driver: "nftables"},
		CgroupDriver:    "cgroupfs", InitBinary: path.Base(pid1.Path),
		HTTPProxy: proxy("HTTP_PROXY", "http_proxy"), HTTPSProxy: proxy("HTTPS_PROXY", "https_proxy"), NoProxy: proxy("NO_PROXY", "no_proxy"),
		IndexServerAddress: "https://index.docker.io/v1/",
		RuncCommit:         system.Commit{ID: build.Commit}, ContainerdCommit: system.Commit{}, InitCommit: system.Commit{},
		SecurityOptions: []string{"name=seccomp,profile=builtin"},
		Swarm:           swarm.Info{LocalNodeState: swarm.LocalNodeStateInactive},
		Plugins: system.PluginsInfo{
			Volume: []string{"local"}, Network: []string{"bridge", "host", "null"}, Log: slices.Sorted(maps.Keys(logDrivers)),
		},
		LiveRestoreEnabled: true,
		IPv4Forwarding:     readsOne("/proc/sys/net/ipv4/ip_forward"),
		Labels:             []string{}, CDISpecDirs: []string{}, Warnings: []string{},
		GenericResources: []swarm.GenericResource{},
	}
	addCgroup(&info, findCapacity(cgroupRoot))
	return info, nil
}

// proxy is what one of the variables says, without a password.
func proxy(names ...string) string {
	for _, name := range names {
		value := os.Getenv(name)
		if u, err := url.Parse(value); err == nil && u.User != nil {
			u.User = url.UserPassword("xxxxx", "xxxxx") // docker's way not to tell
			return u.String()
		}
		if value != "" {
			return value
		}
	}
	return ""
}

// cgroupRoot is where the kernel's cgroups are mounted.
const cgroupRoot = "/sys/fs/cgroup"

// addCgroup tells which limits c can set, and warns of the others as docker does.
func addCgroup(info *system.Info, c capacity) {
	info.CgroupVersion = "1"
	if c.unified {
		info.CgroupVersion = "2"
		info.SecurityOptions = append(info.SecurityOptions, "name=cgroupns")
	}
	info.MemoryLimit, info.SwapLimit, info.OomKillDisable = c.memory, c.swap, c.oomKillDisable
	info.CPUCfsPeriod, info.CPUCfsQuota, info.CPUShares = c.cpuCFS, c.cpuCFS, c.cpuShares
	info.CPUSet, info.PidsLimit = c.cpuset, c.pids
	for _, lack := range []struct {
		has  bool
		what string
	}{
		{info.MemoryLimit, "memory limit"}, {info.SwapLimit, "swap limit"}, {info.CPUCfsQuota, "cpu cfs quota"},
		{info.CPUShares, "cpu shares"}, {info.CPUSet, "cpuset"}, {info.PidsLimit, "pids limit"},
		{c.unified || c.oomKillDisable, "oom kill disable"},
		{c.blkioWeight, "blkio weight"}, {c.blkioWeightDevice, "blkio weight_device"},
		{c.readBps, "blkio throttle.read_bps_device"}, {c.writeBps, "blkio throttle.write_bps_device"},
		{c.readIOps, "blkio throttle.read_iops_device"}, {c.writeIOps, "blkio throttle.write_iops_device"},
	} {
		if !lack.has {
			info.Warnings = append(info.Warnings, "WARNING: No "+lack.what+" support")
		}
	}
}

// osRelease reads the name and the version of the distribution (os-release(5)).
func osRelease(path string) (name, version string) {
	f, err := os.Open(path)
	if err != nil {
		return "Linux", ""
	}
	defer f.Close()
	name = "Linux"
	for lines := bufio.NewScanner(f); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), "=")
		if text, err := strconv.Unquote(value); err == nil {
			value = text
		}
		switch key {
		case "PRETTY_NAME":
			name = value
		case "VERSION_ID":
			version = value
		}
	}
	return name, version
}

// countDir is the number of entries of a directory, 0 if it cannot be read.
func countDir(path string) int {
	d, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return 0
	}
	return len(names)
}

// readsOne tells whether a switch of the kernel is on.
func readsOne(path string) bool {
	b, err := os.ReadFile(path)
	return err == nil && strings.TrimSpace(string(b)) == "1"
}
