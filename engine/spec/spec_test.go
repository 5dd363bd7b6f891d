package spec

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// tree is a Root made of files by path.
type tree map[string]string

func (t tree) ReadFile(name string) ([]byte, error) {
	s, ok := t[name]
	if !ok {
		return nil, os.ErrNotExist
	}
	return []byte(s), nil
}

var busybox = tree{
	"/etc/passwd": "root:x:0:0:root:/root:/bin/sh\n# comment\nbroken line\nwww:x:33:34:web:/var/www:/bin/false\nnohome:x:50:50::\nodd:x:notanumber:1:::\n",
	"/etc/group":  "root:x:0:\nwheel:x:10:root,www\nweb:x:34:\naudio:x:29:www\n",
}

func input(edit func(*Input)) Input {
	in := Input{
		ID: "abc", Rootfs: "/mnt/abc", Root: busybox, Config: &container.Config{Env: []string{"A=1"}}, HostConfig: &container.HostConfig{},
		Path: "true", Hostname: "abc", CgroupParent: "/berth",
		Files: []File{{"/r/hosts", "/etc/hosts"}},
	}
	if edit != nil {
		edit(&in)
	}
	return in
}

func build(t *testing.T, edit func(*Input)) *specs.Spec {
	t.Helper()
	s, err := Build(input(edit))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mountAt(s *specs.Spec, dest string) *specs.Mount {
	for i := range s.Mounts {
		if s.Mounts[i].Destination == dest {
			return &s.Mounts[i]
		}
	}
	return nil
}

func namespaceOf(s *specs.Spec, kind specs.LinuxNamespaceType) *specs.LinuxNamespace {
	for i := range s.Linux.Namespaces {
		if s.Linux.Namespaces[i].Type == kind {
			return &s.Linux.Namespaces[i]
		}
	}
	return nil
}

func TestDefaultsAreDockers(t *testing.T) {
	s := build(t, nil)
	if got := s.Process.Args; !slices.Equal(got, []string{"true"}) {
		t.Errorf("args %v", got)
	}
	if want := []string{"PATH=" + defaultPath, "HOSTNAME=abc", "A=1", "HOME=/root"}; !slices.Equal(s.Process.Env, want) {
		t.Errorf("environment %v, want %v", s.Process.Env, want)
	}
	if s.Process.Cwd != "/" || s.Hostname != "abc" || s.Linux.CgroupsPath != "/berth/abc" || s.Root.Readonly {
		t.Errorf("cwd %q, hostname %q, cgroup %q", s.Process.Cwd, s.Hostname, s.Linux.CgroupsPath)
	}
	caps := s.Process.Capabilities
	if len(caps.Bounding) != 14 || !slices.Equal(caps.Effective, caps.Bounding) || len(caps.Inheritable) != 0 || len(caps.Ambient) != 0 {
		t.Errorf("capabilities %+v", caps)
	}
	for _, kind := range []specs.LinuxNamespaceType{specs.PIDNamespace, specs.MountNamespace, specs.UTSNamespace, specs.IPCNamespace, specs.NetworkNamespace} {
		if ns := namespaceOf(s, kind); ns == nil || ns.Path != "" {
			t.Errorf("namespace %s: %v", kind, ns)
		}
	}
	if namespaceOf(s, specs.CgroupNamespace) != nil {
		t.Error("the cgroup namespace is the host's with cgroup v1")
	}
	if shm := mountAt(s, "/dev/shm"); shm == nil || !slices.Contains(shm.Options, "size=67108864") {
		t.Errorf("/dev/shm: %v", shm)
	}
	if m := mountAt(s, "/etc/hosts"); m == nil || m.Source != "/r/hosts" || m.Type != "bind" {
		t.Errorf("/etc/hosts: %v", m)
	}
	if !slices.Contains(s.Linux.MaskedPaths, "/proc/kcore") || !slices.Contains(s.Linux.ReadonlyPaths, "/proc/sys") {
		t.Error("masked and read-only paths are missing")
	}
	if s.Linux.Seccomp == nil || s.Linux.Seccomp.DefaultAction != specs.ActErrno {
		t.Error("the default seccomp profile is missing")
	}
	if first := s.Linux.Resources.Devices[0]; first.Allow || first.Access != "rwm" {
		t.Errorf("devices must be denied first: %+v", first)
	}
}

func TestMountsReplaceDefaultsAndAreSorted(t *testing.T) {
	s := build(t, func(in *Input) {
		for _, m := range []container.MountPoint{
			{Destination: "/data/sub", Source: "/h/sub", RW: true},
			{Destination: "/data", Source: "/h", RW: false},
			{Destination: "/dev/shm", Source: "/h/shm", RW: true},
			{Destination: "/etc/hosts", Source: "/h/hosts", RW: true, Propagation: mount.PropagationRSlave},
		} {
			in.Volumes = append(in.Volumes, Mount{MountPoint: m})
		}
		in.HostConfig.Tmpfs = map[string]string{"/run": "size=1m,exec"}
		in.HostConfig.ReadonlyRootfs = true
	})
	var order []string
	for _, m := range s.Mounts {
		order = append(order, m.Destination)
	}
	if slices.Index(order, "/data") > slices.Index(order, "/data/sub") {
		t.Errorf("parents come first: %v", order)
	}
	for _, dest := range []string{"/dev/shm", "/etc/hosts"} {
		if n := len(slices.DeleteFunc(slices.Clone(order), func(d string) bool { return d != dest })); n != 1 {
			t.Errorf("%s is mounted %d times", dest, n)
		}
	}
	if m := mountAt(s, "/data"); !slices.Contains(m.Options, "ro") || m.Source != "/h" {
		t.Errorf("/data: %+v", m)
	}
	if m := mountAt(s, "/etc/hosts"); m.Source != "/h/hosts" || !slices.Contains(m.Options, "rslave") {
		t.Errorf("/etc/hosts: %+v", m)
	}
	if m := mountAt(s, "/run"); !slices.Contains(m.Options, "exec") || slices.Contains(m.Options, "noexec") || !slices.Contains(m.Options, "nosuid") {
		t.Errorf("/run: %+v", m)
	}
	if !s.Root.Readonly {
		t.Error("the root is read-only")
	}
	_, err := Build(input(func(in *Input) {
		a := Mount{MountPoint: container.MountPoint{Destination: "/a", Source: "/x"}}
		in.Volumes = []Mount{a, a}
	}))
	if !errdefs.IsInvalidArgument(err) {
		t.Errorf("two mounts at one place: %v", err)
	}
}

func TestNamespaceModes(t *testing.T) {
	s := build(t, func(in *Input) {
		in.HostConfig.NetworkMode, in.HostConfig.PidMode, in.HostConfig.IpcMode, in.HostConfig.UTSMode = "host", "host", "host", "host"
	})
	for _, kind := range []specs.LinuxNamespaceType{specs.NetworkNamespace, specs.PIDNamespace, specs.IPCNamespace, specs.UTSNamespace} {
		if namespaceOf(s, kind) != nil {
			t.Errorf("namespace %s should be the host's", kind)
		}
	}
	if s.Hostname != "" || len(s.Linux.Sysctl) != 0 || mountAt(s, "/dev/shm").Type != "bind" {
		t.Errorf("hostname %q, sysctls %v", s.Hostname, s.Linux.Sysctl)
	}
	s = build(t, func(in *Input) {
		in.CgroupV2, in.HostConfig.NetworkMode, in.NetNS = true, "container:x", "/proc/1/ns/net"
	})
	if ns := namespaceOf(s, specs.NetworkNamespace); ns.Path != "/proc/1/ns/net" {
		t.Errorf("network namespace %+v", ns)
	}
	if namespaceOf(s, specs.CgroupNamespace) == nil {
		t.Error("with cgroup v2 a container has a cgroup namespace")
	}
}

// TestSpecSize holds what every shim has to read at its start.
func TestSpecSize(t *testing.T) {
	b, err := json.Marshal(build(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > 32<<10 {
		t.Errorf("the spec has %d bytes", len(b))
	}
}
