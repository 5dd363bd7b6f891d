// Package spec makes OCI runtime specs out of what Docker's Engine API says
// about a container: the image's config, Config and HostConfig, with the
// defaults that docker gives (capabilities, masked paths, devices, mounts,
// environment, seccomp profile).
//
// It reads the container's root filesystem for users and groups only, through a
// Root that cannot be led outside, and touches nothing on the host. The caller
// has resolved volumes to host paths and namespaces to files.
//
// It must not import the engine, the store or the shim.
package spec

import (
	"fmt"
	"strings"

	"berth/runtime/pid1"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Input is all that a spec depends on.
type Input struct {
	ID         string
	Rootfs     string // where the shim mounts the root filesystem
	Root       Root   // that filesystem's files, for users and groups
	Config     *container.Config
	HostConfig *container.HostConfig
	Path       string   // the command
	Args       []string // its arguments, without itself
	Hostname   string

	CgroupParent string // cgroupfs path of the engine: "/berth"
	CgroupV2     bool   // the machine's hierarchy is unified

	// Init is the host's path of the executable that is the first process of a container
	// with HostConfig.Init (package pid1).
	Init string

	Volumes []Mount // what is mounted for the user, with host paths as sources
	Files   []File  // /etc/hosts and the like

	// Namespace files of other containers to join; "" makes a new one,
	// unless the HostConfig says host.
	NetNS, PIDNS, IPCNS string

	// Shm is the host's directory that is the container's /dev/shm, which it shares with
	// others; "" gives it one of its own.
	Shm string
}

// File is a file of the engine that the container sees at Destination.
type File struct{ Source, Destination string }

// Build returns the spec. Errors are of kind InvalidArgument when the
// configuration is to blame.
func Build(in Input) (*specs.Spec, error) {
	hc := in.HostConfig
	sec, err := parseSecurity(hc)
	if err != nil {
		return nil, err
	}
	s := &specs.Spec{
		Version:     specs.Version,
		Root:        &specs.Root{Path: in.Rootfs, Readonly: hc.ReadonlyRootfs},
		Annotations: hc.Annotations,
		Linux: &specs.Linux{
			CgroupsPath: CgroupPath(in.CgroupParent, hc.CgroupParent, in.ID),
			Namespaces:  namespaces(in),
			Sysctl:      sysctls(hc),
			Seccomp:     nil,
		},
	}
	if !hc.UTSMode.IsHost() {
		s.Hostname, s.Domainname = in.Hostname, in.Config.Domainname
	}
	// Lists of the API replace the defaults, also by nothing.
	if !sec.unmasked {
		s.Linux.MaskedPaths, s.Linux.ReadonlyPaths = maskedPaths(), readonlyPaths()
	}
	if hc.MaskedPaths != nil {
		s.Linux.MaskedPaths = hc.MaskedPaths
	}
	if hc.ReadonlyPaths != nil {
		s.Linux.ReadonlyPaths = hc.ReadonlyPaths
	}
	if s.Process, err = process(in, sec); err != nil {
		return nil, err
	}
	if s.Linux.Resources, err = Resources(hc); err != nil {
		return nil, err
	}
	if s.Linux.Devices, err = devices(hc, s.Linux.Resources); err != nil {
		return nil, err
	}
	if s.Mounts, err = mounts(in, sec); err != nil {
		return nil, err
	}
	s.Linux.RootfsPropagation = rootPropagation(in.Volumes)
	// The profile depends on the capabilities, so it comes last.
	if s.Linux.Seccomp, err = sec.profile(s); err != nil {
		return nil, err
	}
	return s, nil
}

// CgroupPath is where a container's cgroup is, below each hierarchy's root.
func CgroupPath(engineParent, parent, id string) string {
	if parent == "" {
		parent = engineParent
	}
	return "/" + strings.Trim(parent, "/") + "/" + id
}

// process is the container's first process.
func process(in Input, sec security) (*specs.Process, error) {
	cfg, hc := in.Config, in.HostConfig
	user, home, err := LookupUser(in.Root, cfg.User, hc.GroupAdd)
	if err != nil {
		return nil, err
	}
	if hc.Umask != nil {
		user.Umask = hc.Umask
	}
	caps, err := Capabilities(hc.Privileged, hc.CapAdd, hc.CapDrop)
	if err != nil {
		return nil, err
	}
	oom := hc.OomScoreAdj
	p := &specs.Process{
		Terminal:        cfg.Tty,
		User:            user,
		Args:            arguments(in),
		Env:             environment(cfg.Env, in.Hostname, home, cfg.Tty),
		Cwd:             cfg.WorkingDir,
		Capabilities:    capabilitySets(caps, user.UID),
		NoNewPrivileges: sec.noNewPrivileges,
		ApparmorProfile: sec.apparmor,
		SelinuxLabel:    sec.selinux,
		OOMScoreAdj:     &oom,
	}
	if p.Cwd == "" {
		p.Cwd = "/"
	}
	if !strings.HasPrefix(p.Cwd, "/") {
		return nil, fmt.Errorf("the working directory '%s' is invalid, it needs to be an absolute path: %w", p.Cwd, errdefs.ErrInvalidArgument)
	}
	// The size is the client's at the time of create; it sends another when it is attached.
	if cfg.Tty && (hc.ConsoleSize[0] > 0 || hc.ConsoleSize[1] > 0) {
		p.ConsoleSize = &specs.Box{Height: hc.ConsoleSize[0], Width: hc.ConsoleSize[1]}
	}
	for _, u := range hc.Ulimits {
		p.Rlimits = append(p.Rlimits, specs.POSIXRlimit{
			Type: "RLIMIT_" + strings.ToUpper(u.Name), Soft: uint64(u.Soft), Hard: uint64(u.Hard),
		})
	}
	if hasInit(hc) {
		p.Env = pid1.Env(p.Env)
	}
	return p, nil
}

// hasInit tells that a process of berth is to be the container's first: one is asked
// for, and in a namespace that is not its own the number 1 is taken.
func hasInit(hc *container.HostConfig) bool {
	return hc.Init != nil && *hc.Init && !hc.PidMode.IsHost() && !hc.PidMode.IsContainer()
}

// arguments are the command line of the first process.
func arguments(in Input) []string {
	command := append([]string{in.Path}, in.Args...)
	if hasInit(in.HostConfig) {
		return append([]string{pid1.Path, "--"}, command...)
	}
	return command
}

// namespaces gives each kind that is neither the host's nor left to it.
func namespaces(in Input) []specs.LinuxNamespace {
	hc := in.HostConfig
	ns := []specs.LinuxNamespace{{Type: specs.MountNamespace}}
	add := func(host bool, kind specs.LinuxNamespaceType, path string) {
		if !host {
			ns = append(ns, specs.LinuxNamespace{Type: kind, Path: path})
		}
	}
	add(hc.NetworkMode.IsHost(), specs.NetworkNamespace, in.NetNS)
	add(hc.UTSMode.IsHost(), specs.UTSNamespace, "")
	add(hc.PidMode.IsHost(), specs.PIDNamespace, in.PIDNS)
	add(hc.IpcMode.IsHost(), specs.IPCNamespace, in.IPCNS)
	// docker's default: private with cgroup v2, the host's with v1.
	private := hc.CgroupnsMode.IsPrivate() || hc.CgroupnsMode.IsEmpty() && in.CgroupV2 && !hc.Privileged
	add(!private, specs.CgroupNamespace, "")
	return ns
}

// sysctls are the user's and docker's two for networks of their own.
func sysctls(hc *container.HostConfig) map[string]string {
	all := make(map[string]string)
	// As docker since 20.10: a container has its own ports, so binding low ones needs no privilege.
	if !hc.NetworkMode.IsHost() && !hc.NetworkMode.IsContainer() {
		all["net.ipv4.ip_unprivileged_port_start"] = "0"
		all["net.ipv4.ping_group_range"] = "0 2147483647"
	}
	for k, v := range hc.Sysctls {
		all[k] = v
	}
	return all
}
