package spec

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
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

func TestPrivileged(t *testing.T) {
	s := build(t, func(in *Input) { in.HostConfig.Privileged = true })
	if s.Linux.Seccomp != nil || len(s.Linux.MaskedPaths) > 0 || len(s.Linux.ReadonlyPaths) > 0 {
		t.Error("a privileged container has no seccomp profile and no masked paths")
	}
	if !slices.Contains(s.Process.Capabilities.Effective, "CAP_SYS_ADMIN") {
		t.Error("it has all capabilities")
	}
	if sys := mountAt(s, "/sys"); !slices.Contains(sys.Options, "rw") {
		t.Error("/sys is writable")
	}
	if d := s.Linux.Resources.Devices; len(d) != 1 || !d[0].Allow {
		t.Errorf("all devices are allowed: %v", d)
	}
}

func TestCapabilities(t *testing.T) {
	for _, c := range []struct {
		add, drop []string
		with      []string
		without   []string
		n         int // 0: any
	}{
		{add: []string{"net_admin"}, with: []string{"CAP_NET_ADMIN", "CAP_CHOWN"}, n: 15},
		{drop: []string{"CHOWN", "cap_kill"}, without: []string{"CAP_CHOWN", "CAP_KILL"}, n: 12},
		{drop: []string{"ALL"}, add: []string{"NET_BIND_SERVICE"}, with: []string{"CAP_NET_BIND_SERVICE"}, n: 1},
		{add: []string{"ALL"}, drop: []string{"SYS_ADMIN"}, with: []string{"CAP_SYS_PTRACE"}, without: []string{"CAP_SYS_ADMIN"}},
	} {
		got, err := Capabilities(false, c.add, c.drop)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range c.with {
			if !slices.Contains(got, name) {
				t.Errorf("+%v -%v: no %s", c.add, c.drop, name)
			}
		}
		for _, name := range c.without {
			if slices.Contains(got, name) {
				t.Errorf("+%v -%v: has %s", c.add, c.drop, name)
			}
		}
		if c.n > 0 && len(got) != c.n {
			t.Errorf("+%v -%v: %d capabilities, want %d", c.add, c.drop, len(got), c.n)
		}
	}
	if _, err := Capabilities(false, []string{"FLY"}, nil); !errdefs.IsInvalidArgument(err) {
		t.Errorf("an unknown capability: %v", err)
	}
}

func TestUserOfTheSpec(t *testing.T) {
	s := build(t, func(in *Input) { in.Config.User = "www" })
	u := s.Process.User
	if u.UID != 33 || u.GID != 34 || !slices.Equal(u.AdditionalGids, []uint32{10, 29, 34}) {
		t.Errorf("user %+v", u)
	}
	if c := s.Process.Capabilities; len(c.Effective) != 0 || len(c.Permitted) != 0 || len(c.Bounding) != 14 {
		t.Errorf("an ordinary user holds nothing at once: %+v", c)
	}
	if !slices.Contains(s.Process.Env, "HOME=/var/www") {
		t.Errorf("environment %v", s.Process.Env)
	}
}

func TestLookupUser(t *testing.T) {
	for _, c := range []struct {
		spec     string
		extra    []string
		uid, gid uint32
		groups   []uint32
		home     string
		err      string
	}{
		{spec: "", uid: 0, gid: 0, groups: []uint32{0, 10}, home: "/root"},
		{spec: "0", groups: []uint32{0, 10}, home: "/root"},
		{spec: "33", uid: 33, gid: 34, groups: []uint32{10, 29, 34}, home: "/var/www"},
		{spec: "www:wheel", uid: 33, gid: 10, groups: []uint32{10}, home: "/var/www"},
		{spec: "1234", uid: 1234, groups: []uint32{0}, home: "/"},
		{spec: "1234:4321", uid: 1234, gid: 4321, groups: []uint32{4321}, home: "/"},
		{spec: "nohome", uid: 50, gid: 50, groups: []uint32{50}, home: "/"},
		{spec: "www", extra: []string{"web", "77"}, uid: 33, gid: 34, groups: []uint32{10, 29, 34, 77}, home: "/var/www"},
		{spec: "nobody", err: "unable to find user nobody: no matching entries in passwd file"},
		{spec: "www:none", err: "unable to find group none: no matching entries in group file"},
		{spec: "-1", err: "unable to find user -1"},
		{spec: "99999999999", err: "unable to find user"},
	} {
		u, home, err := LookupUser(busybox, c.spec, c.extra)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) || !errdefs.IsInvalidArgument(err) {
				t.Errorf("%q: got error %v, want %s", c.spec, err, c.err)
			}
			continue
		}
		if err != nil || u.UID != c.uid || u.GID != c.gid || !slices.Equal(u.AdditionalGids, c.groups) || home != c.home {
			t.Errorf("%q: got %+v, %q, %v", c.spec, u, home, err)
		}
	}
	if _, _, err := LookupUser(tree{}, "", nil); err != nil {
		t.Errorf("an image without databases: %v", err)
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

func TestResources(t *testing.T) {
	limit := int64(100)
	hc := &container.HostConfig{Resources: container.Resources{
		Memory: 64 << 20, NanoCPUs: 1500e6, PidsLimit: &limit, CPUShares: 512, CpusetCpus: "0",
		Ulimits: []*container.Ulimit{{Name: "nofile", Soft: 10, Hard: 20}},
	}}
	s := build(t, func(in *Input) { in.HostConfig = hc })
	r := s.Linux.Resources
	if *r.Memory.Limit != 64<<20 || *r.Memory.Swap != 128<<20 {
		t.Errorf("memory %d, swap %d", *r.Memory.Limit, *r.Memory.Swap)
	}
	if *r.CPU.Quota != 150000 || *r.CPU.Period != 100000 || *r.CPU.Shares != 512 || r.CPU.Cpus != "0" || *r.Pids.Limit != 100 {
		t.Errorf("cpu %+v, pids %+v", r.CPU, r.Pids)
	}
	if rl := s.Process.Rlimits; len(rl) != 1 || rl[0] != (specs.POSIXRlimit{Type: "RLIMIT_NOFILE", Soft: 10, Hard: 20}) {
		t.Errorf("rlimits %v", rl)
	}
	none := build(t, nil).Linux.Resources
	if none.Memory != nil || none.CPU != nil || none.Pids != nil || none.BlockIO != nil {
		t.Errorf("nothing asked for, nothing limited: %+v", none)
	}
	for what, res := range map[string]container.Resources{
		"too little memory":    {Memory: 1 << 20},
		"swap below memory":    {Memory: 64 << 20, MemorySwap: 32 << 20},
		"swap without memory":  {MemorySwap: 64 << 20},
		"cpus and quota":       {NanoCPUs: 1e9, CPUQuota: 1000},
		"reservation too high": {Memory: 64 << 20, MemoryReservation: 65 << 20},
		"a device that is not": {BlkioDeviceReadBps: nil, Devices: []container.DeviceMapping{{PathOnHost: "/dev/none"}}},
	} {
		_, err := Build(input(func(in *Input) { in.HostConfig.Resources = res }))
		if !errdefs.IsInvalidArgument(err) {
			t.Errorf("%s: got %v, want an invalid argument", what, err)
		}
	}
}

func TestSecurityOptions(t *testing.T) {
	s := build(t, func(in *Input) {
		in.HostConfig.SecurityOpt = []string{"no-new-privileges", "seccomp=unconfined", "label=disable", "apparmor:unconfined"}
	})
	if !s.Process.NoNewPrivileges || s.Linux.Seccomp != nil {
		t.Errorf("no_new_privs %v, seccomp %v", s.Process.NoNewPrivileges, s.Linux.Seccomp)
	}
	profile := `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["chmod"],"action":"SCMP_ACT_ERRNO"}]}`
	s = build(t, func(in *Input) { in.HostConfig.SecurityOpt = []string{"seccomp=" + profile} })
	if got := s.Linux.Seccomp; got == nil || got.DefaultAction != specs.ActAllow || got.Syscalls[0].Names[0] != "chmod" {
		t.Errorf("profile %+v", got)
	}
	for _, opt := range []string{"seccomp={", "fly=yes", "no-new-privileges=perhaps", "systempaths=all", "nothing"} {
		if _, err := Build(input(func(in *Input) { in.HostConfig.SecurityOpt = []string{opt} })); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%s: got %v, want an invalid argument", opt, err)
		}
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

func TestMerge(t *testing.T) {
	img := ocispec.ImageConfig{
		User: "www", Env: []string{"PATH=/bin", "A=image", "B=image"}, Entrypoint: []string{"/entry"}, Cmd: []string{"serve"},
		WorkingDir: "/srv", Labels: map[string]string{"a": "image", "b": "image"}, StopSignal: "SIGQUIT",
		ExposedPorts: map[string]struct{}{"80/tcp": {}}, Volumes: map[string]struct{}{"/data": {}},
	}
	command := func(cfg container.Config) string {
		Merge(&cfg, img, nil)
		path, args := Command(&cfg)
		return strings.Join(append([]string{path}, args...), " ")
	}
	for want, cfg := range map[string]container.Config{
		"/entry serve":   {},
		"/entry other x": {Cmd: []string{"other", "x"}},
		"mine":           {Entrypoint: []string{"mine"}},
		"mine arg":       {Entrypoint: []string{"mine"}, Cmd: []string{"arg"}},
		"arg":            {Entrypoint: []string{""}, Cmd: []string{"arg"}},
	} {
		if got := command(cfg); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	cfg := container.Config{Env: []string{"A=mine", "B", "C=3"}, Labels: map[string]string{"a": "mine"}, WorkingDir: "/w"}
	Merge(&cfg, img, nil)
	if want := []string{"A=mine", "B", "C=3", "PATH=/bin"}; !slices.Equal(cfg.Env, want) {
		t.Errorf("environment %v, want %v", cfg.Env, want)
	}
	if cfg.Labels["a"] != "mine" || cfg.Labels["b"] != "image" || cfg.User != "www" || cfg.WorkingDir != "/w" || cfg.StopSignal != "SIGQUIT" {
		t.Errorf("%+v", cfg)
	}
	if len(cfg.ExposedPorts) != 1 || len(cfg.Volumes) != 1 {
		t.Errorf("ports %v, volumes %v", cfg.ExposedPorts, cfg.Volumes)
	}
}

func TestMergeHealthcheck(t *testing.T) {
	img := &container.HealthConfig{Test: []string{"CMD", "check"}, Interval: 5, Retries: 3}
	for _, c := range []struct {
		own  *container.HealthConfig
		img  *container.HealthConfig
		want string
	}{
		{nil, nil, "null"},
		{nil, img, `{"Test":["CMD","check"],"Interval":5,"Retries":3}`},
		{&container.HealthConfig{Interval: 9}, img, `{"Test":["CMD","check"],"Interval":9,"Retries":3}`},
		{&container.HealthConfig{Test: []string{"NONE"}}, img, `{"Test":["NONE"],"Interval":5,"Retries":3}`},
		{&container.HealthConfig{Test: []string{"NONE"}}, nil, `{"Test":["NONE"]}`},
	} {
		cfg := container.Config{Healthcheck: c.own}
		Merge(&cfg, ocispec.ImageConfig{}, c.img)
		got, err := json.Marshal(cfg.Healthcheck)
		if err != nil || string(got) != c.want {
			t.Errorf("got %s, %v, want %s", got, err, c.want)
		}
	}
}

func TestExecProcess(t *testing.T) {
	in := ExecInput{
		Root: busybox, Config: &container.Config{User: "www", Env: []string{"A=1"}, WorkingDir: "/w"}, HostConfig: &container.HostConfig{},
		Hostname: "h", Tty: true, ConsoleSize: &[2]uint{24, 80}, Env: []string{"A=2"}, Cmd: []string{"sh"},
	}
	p, err := Exec(in)
	if err != nil {
		t.Fatal(err)
	}
	if p.User.UID != 33 || p.Cwd != "/w" || !slices.Contains(p.Env, "A=2") || !slices.Contains(p.Env, "TERM=xterm") || p.ConsoleSize.Width != 80 {
		t.Errorf("%+v", p)
	}
	in.User, in.WorkingDir, in.Privileged = "root", "/x", true
	if p, err = Exec(in); err != nil || p.User.UID != 0 || p.Cwd != "/x" || !slices.Contains(p.Capabilities.Effective, "CAP_SYS_ADMIN") {
		t.Errorf("%+v, %v", p, err)
	}
	in.WorkingDir = "relative"
	if _, err = Exec(in); !errdefs.IsInvalidArgument(err) {
		t.Errorf("a relative directory: %v", err)
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

func TestLayersReadLikeOverlay(t *testing.T) {
	dir := t.TempDir()
	mk := func(layer, name, content string) {
		t.Helper()
		file := filepath.Join(dir, layer, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			if err := os.Symlink(target, file); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mk("low", "etc/passwd", "low")
	mk("low", "etc/group", "low")
	mk("low", "real/file", "real")
	mk("low", "abs", "-> /real")
	mk("low", "up/escape", "-> ../../../../../../real/file")
	mk("low", "loop", "-> loop")
	mk("low", "over/x", "low")
	mk("top", "etc/passwd", "top")
	mk("top", "over", "a file over a directory")
	layers := Layers{filepath.Join(dir, "top"), filepath.Join(dir, "low")}
	for name, want := range map[string]string{
		"/etc/passwd": "top", "/etc/group": "low", "/abs/file": "real", "/up/escape": "real", "/etc/../etc//group": "low",
	} {
		if got, err := layers.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"/none", "/etc/none", "/over/x", "/loop", "/etc", "/etc/passwd/x"} {
		if got, err := layers.ReadFile(name); err == nil {
			t.Errorf("%s: got %q, want an error", name, got)
		}
	}
	f, err := os.Open(filepath.Join(dir, "low"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for name, want := range map[string]string{"/etc/passwd": "low", "/abs/file": "real", "/up/escape": "real"} {
		if got, err := (Mounted{f}).ReadFile(name); err != nil || string(got) != want {
			t.Errorf("mounted %s: got %q, %v", name, got, err)
		}
	}
}
