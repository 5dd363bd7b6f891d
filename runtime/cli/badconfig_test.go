//lint:file-ignore SA1019 prestart is deprecated, and what Docker uses

package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// badConfig is a config.json that cannot be run, or the bundle around it.
type badConfig struct {
	text   string // in the error
	change func(s *specs.Spec)
	// alone marks what Debian's runc 1.1 does not know or does not check.
	alone bool
}

const agent = "/no/agent" // a path for fields that need one

func badConfigs() map[string]badConfig {
	without := func(list []specs.LinuxNamespace, t specs.LinuxNamespaceType) (left []specs.LinuxNamespace) {
		for _, n := range list {
			if n.Type != t {
				left = append(left, n)
			}
		}
		return left
	}
	filter := func(f specs.LinuxSeccomp) func(*specs.Spec) {
		return func(s *specs.Spec) {
			if f.DefaultAction == "" {
				f.DefaultAction = specs.ActAllow
			}
			s.Linux.Seccomp = &f
		}
	}
	rlimits := func(l ...specs.POSIXRlimit) func(*specs.Spec) { return func(s *specs.Spec) { s.Process.Rlimits = l } }
	mnt := func(m specs.Mount) func(*specs.Spec) {
		return func(s *specs.Spec) { s.Root.Readonly, s.Mounts = false, append(s.Mounts, m) }
	}
	sysctl := func(k, v string) func(*specs.Spec) {
		return func(s *specs.Spec) { s.Linux.Sysctl = map[string]string{k: v} }
	}
	hooks := func(h specs.Hooks) func(*specs.Spec) { return func(s *specs.Spec) { s.Hooks = &h } }
	zero, minus, score := 0, int64(-7), 5000
	fails := []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "echo no luck; exit 3"}}}
	return map[string]badConfig{
		"version 2":      {text: "ociVersion", change: func(s *specs.Spec) { s.Version = "2.0.0" }, alone: true},
		"no root":        {text: "root.path", change: func(s *specs.Spec) { s.Root = nil }},
		"empty root":     {text: "root.path", change: func(s *specs.Spec) { s.Root.Path = "" }},
		"root gone":      {text: "no root file system at", change: func(s *specs.Spec) { s.Root.Path = "gone" }},
		"root is a file": {text: "is not a directory", change: func(s *specs.Spec) { s.Root.Path = "config.json" }},
		"no process":     {text: "process:", change: func(s *specs.Spec) { s.Process = nil }},
		"no args":        {text: "process.args", change: func(s *specs.Spec) { s.Process.Args = nil }},
		"empty command":  {text: "process.args", change: func(s *specs.Spec) { s.Process.Args = []string{""} }},
		"not found":      {text: "executable file not found in $PATH", change: func(s *specs.Spec) { s.Process.Args = []string{"nosuch"} }},
		"a directory":    {text: `exec: "/bin": is a directory`, change: func(s *specs.Spec) { s.Process.Args = []string{"/bin"} }},
		"NUL":            {text: "NUL", change: func(s *specs.Spec) { s.Process.Args = []string{"true", "a\x00b"} }},
		"relative cwd":   {text: "process.cwd", change: func(s *specs.Spec) { s.Process.Cwd = "tmp" }},
		"no cwd":         {text: "process.cwd", change: func(s *specs.Spec) { s.Process.Cwd = "" }},
		"cwd is a file":  {text: "/bin/busybox", change: func(s *specs.Spec) { s.Process.Cwd = "/bin/busybox" }},
		"env no =":       {text: "NAME=value", change: func(s *specs.Spec) { s.Process.Env = []string{"novalue"} }},
		"env no name":    {text: "NAME=value", change: func(s *specs.Spec) { s.Process.Env = []string{"=x"} }},
		"oom score":      {text: "process.oomScoreAdj: set it to 5000", change: func(s *specs.Spec) { s.Process.OOMScoreAdj = &score }},
		"selinux":        {text: "process.selinuxLabel", change: func(s *specs.Spec) { s.Process.SelinuxLabel = "a:b:c" }},
		"apparmor":       {text: "process.apparmorProfile", change: func(s *specs.Spec) { s.Process.ApparmorProfile = "berth-gone" }},
		"io class": {text: "process.ioPriority.class", alone: true, change: func(s *specs.Spec) {
			s.Process.IOPriority = &specs.LinuxIOPriority{Class: "X"}
		}},
		"scheduler": {text: "process.scheduler.policy", alone: true, change: func(s *specs.Spec) { s.Process.Scheduler = &specs.Scheduler{Policy: "X"} }},
		"affinity": {text: "process.execCPUAffinity.final", alone: true, change: func(s *specs.Spec) {
			s.Process.ExecCPUAffinity = &specs.CPUAffinity{Final: "x"}
		}},
		"no user":  {text: "4294967295 is no user or group", change: func(s *specs.Spec) { s.Process.User.UID = 1<<32 - 1 }},
		"no group": {text: "4294967295 is no user or group", change: func(s *specs.Spec) { s.Process.User.GID = 1<<32 - 1 }},
		"groups":   {text: "process.user.additionalGids", change: func(s *specs.Spec) { s.Process.User.AdditionalGids = make([]uint32, 65537) }, alone: true},

		"rlimit type":       {text: `unknown limit "RLIMIT_X"`, change: rlimits(specs.POSIXRlimit{Type: "RLIMIT_X"})},
		"rlimit upside":     {text: "soft limit 2 is above", change: rlimits(specs.POSIXRlimit{Type: "RLIMIT_CORE", Soft: 2, Hard: 1})},
		"rlimit absurd":     {text: "set RLIMIT_NOFILE to", change: rlimits(specs.POSIXRlimit{Type: "RLIMIT_NOFILE", Soft: 1 << 62, Hard: 1 << 63})},
		"rlimit duplicated": {text: "given twice", alone: true, change: rlimits(specs.POSIXRlimit{Type: "RLIMIT_CPU", Soft: 9, Hard: 9}, specs.POSIXRlimit{Type: "RLIMIT_CPU", Soft: 9, Hard: 9})},

		"ns duplicated": {text: "given twice", change: func(s *specs.Spec) {
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: "pid"})
		}},
		"ns unknown": {text: "unknown type", change: func(s *specs.Spec) {
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: "moon"})
		}},
		"ns no mount":     {text: "mount namespace", change: func(s *specs.Spec) { s.Linux.Namespaces = without(s.Linux.Namespaces, "mount") }},
		"ns hostname":     {text: "hostname", change: func(s *specs.Spec) { s.Linux.Namespaces = without(s.Linux.Namespaces, "uts") }},
		"ns path gone":    {text: "/gone", change: func(s *specs.Spec) { s.Linux.Namespaces[1].Path = "/gone" }},
		"hostname length": {text: "hostname", change: func(s *specs.Spec) { s.Hostname = strings.Repeat("x", 65) }},
		"domainname": {text: "domainname", alone: true, change: func(s *specs.Spec) {
			s.Hostname, s.Domainname, s.Linux.Namespaces = "", "x", without(s.Linux.Namespaces, "uts")
		}},
		"net device": {text: "linux.netDevices", alone: true, change: func(s *specs.Spec) {
			s.Linux.NetDevices = map[string]specs.LinuxNetDevice{"berth-gone": {}}
		}},

		"sysctl of the host": {text: "vm.swappiness is not in a separate kernel namespace", change: sysctl("vm.swappiness", "1")},
		"sysctl hostname":    {text: "kernel.hostname", change: sysctl("kernel.hostname", "x")},
		"sysctl gone":        {text: "net.no.such", change: sysctl("net.no.such", "1")},
		"sysctl escaping":    {text: "linux.sysctl", change: sysctl("net/../vm/swappiness", "1")},
		"sysctl value":       {text: "net.ipv4.ip_forward", change: sysctl("net.ipv4.ip_forward", "x")},
		"sysctl no ns": {text: "net.ipv4.ip_forward", change: func(s *specs.Spec) {
			s.Linux.Sysctl = map[string]string{"net.ipv4.ip_forward": "0"}
			s.Linux.Namespaces = without(s.Linux.Namespaces, "network")
		}},

		"seccomp default":  {text: "defaultAction", change: filter(specs.LinuxSeccomp{DefaultAction: "X"})},
		"seccomp action":   {text: "syscalls[0]", change: filter(specs.LinuxSeccomp{Syscalls: []specs.LinuxSyscall{{Names: []string{"read"}, Action: "X"}}})},
		"seccomp arch":     {text: "unknown architecture", change: filter(specs.LinuxSeccomp{Architectures: []specs.Arch{"PDP11"}})},
		"seccomp flag":     {text: "unknown flag", change: filter(specs.LinuxSeccomp{Flags: []specs.LinuxSeccompFlag{"X"}})},
		"seccomp notify":   {text: "defaultAction", change: filter(specs.LinuxSeccomp{DefaultAction: specs.ActNotify, ListenerPath: agent})},
		"seccomp write":    {text: "cannot be used for the write syscall", change: filter(specs.LinuxSeccomp{ListenerPath: agent, Syscalls: []specs.LinuxSyscall{{Names: []string{"write"}, Action: specs.ActNotify}}})},
		"seccomp no agent": {text: "listenerPath", change: filter(specs.LinuxSeccomp{Syscalls: []specs.LinuxSyscall{{Names: []string{"mkdir"}, Action: specs.ActNotify}}})},
		"seccomp operator": {text: "unknown operator", change: filter(specs.LinuxSeccomp{Syscalls: []specs.LinuxSyscall{{Names: []string{"read"},
			Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{{Op: "X"}}}}})},

		"mount nowhere":    {text: "destination is empty", change: mnt(specs.Mount{Type: "tmpfs", Source: "x"})},
		"mount on root":    {text: "the root itself", change: mnt(specs.Mount{Destination: "/", Type: "tmpfs", Source: "x"})},
		"mount in proc":    {text: "/proc", change: mnt(specs.Mount{Destination: "/proc/sys", Type: "bind", Source: "/tmp", Options: []string{"bind"}})},
		"bind of nothing":  {text: "/gone", change: mnt(specs.Mount{Destination: "/x", Type: "bind", Source: "/gone", Options: []string{"bind"}})},
		"mount type":       {text: "floppyfs", change: mnt(specs.Mount{Destination: "/x", Type: "floppyfs", Source: "x"})},
		"mount option":     {text: "size=lots", change: mnt(specs.Mount{Destination: "/x", Type: "tmpfs", Source: "x", Options: []string{"size=lots"}})},
		"mount below file": {text: "/bin/busybox", change: mnt(specs.Mount{Destination: "/bin/busybox/x", Type: "tmpfs", Source: "x"})},
		"mount label":      {text: "linux.mountLabel", change: func(s *specs.Spec) { s.Linux.MountLabel = "a:b:c" }},
		"dir on file":      {text: "a directory cannot be mounted on a file", change: mnt(specs.Mount{Destination: "/bin/busybox", Type: "tmpfs", Source: "x"})},
		"file on dir":      {text: "a file cannot be mounted on a directory", change: mnt(specs.Mount{Destination: "/sys", Type: "bind", Source: "/dev/null", Options: []string{"bind"}})},
		"propagation":      {text: "linux.rootfsPropagation", change: func(s *specs.Spec) { s.Linux.RootfsPropagation = "sideways" }},
		"device type":      {text: "linux.devices", change: func(s *specs.Spec) { s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/x", Type: "q"}} }},
		"memory":           {text: "memory.limit", change: func(s *specs.Spec) { s.Linux.Resources.Memory = &specs.LinuxMemory{Limit: &minus} }},
		"intelRdt":         {text: "linux.intelRdt", alone: true, change: func(s *specs.Spec) { s.Linux.IntelRdt = &specs.LinuxIntelRdt{ClosID: "a/b"} }},
		"personality":      {text: "linux.personality", alone: true, change: func(s *specs.Spec) { s.Linux.Personality = &specs.LinuxPersonality{Domain: "X"} }},
		"memory policy":    {text: "linux.memoryPolicy", alone: true, change: func(s *specs.Spec) { s.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: "X"} }},

		"hook relative":         {text: "hooks.prestart[0]", change: hooks(specs.Hooks{Prestart: []specs.Hook{{Path: "x"}}})},
		"hook gone":             {text: "error running createRuntime hook #0", change: hooks(specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/gone"}}})},
		"hook without time":     {text: "timeout 0", change: hooks(specs.Hooks{Prestart: []specs.Hook{{Path: "/bin/true", Timeout: &zero}}})},
		"prestart fails":        {text: "no luck", change: hooks(specs.Hooks{Prestart: fails})},
		"createRuntime fails":   {text: "no luck", change: hooks(specs.Hooks{CreateRuntime: fails})},
		"createContainer fails": {text: "no luck", change: hooks(specs.Hooks{CreateContainer: fails})},
		"startContainer fails":  {text: "no luck", change: hooks(specs.Hooks{StartContainer: fails})},
		"poststart fails":       {text: "no luck", change: hooks(specs.Hooks{Poststart: fails})},
	}
}

// TestBadConfigBesideRunc runs what cannot be run. The status is runc's, the
// reason one line that names the field, in JSON, too; and nothing is left.
func TestBadConfigBesideRunc(t *testing.T) {
	b := newBundle(t)
	for name, c := range badConfigs() {
		t.Run(name, func(t *testing.T) {
			b.t = t
			b.configure(func(s *specs.Spec) {
				s.Process.Args = []string{"true"}
				c.change(s)
			})
			b.refused(c.text, !c.alone)
		})
	}
}

// TestBadFileBesideRunc has files for a config.json that are none.
func TestBadFileBesideRunc(t *testing.T) {
	b := newBundle(t)
	name := filepath.Join(b.dir, "config.json")
	for content, text := range map[string]string{
		"":                               "config.json:1: the file is cut off after 0 bytes",
		`{"ociVersion": "1.0.2", "proce`: "the file is cut off",
		"{}}":                            "invalid character '}'",
		"not json":                       "invalid character",
		"[]":                             "want an object, have array",
		`{"process":{"args":"true"}}`:    "process.args: want an array, have string",
		"null":                           "process",
		"{}":                             "process",
	} {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		b.refused(text, content != "null") // of which runc panics
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	b.refused("config.json not found", true)
	if err := os.Mkdir(name, 0o755); err != nil {
		t.Fatal(err)
	}
	b.refused("is a directory", true)
}

// refused runs the bundle, which must fail for the reason text.
func (b *bundle) refused(text string, asRunc bool) {
	b.t.Helper()
	log := filepath.Join(b.dir, "log")
	if err := os.Remove(log); err != nil && !errors.Is(err, fs.ErrNotExist) {
		b.t.Fatal(err)
	}
	out, errs, status := b.do("--log", log, "--log-format", "json", "run", b.id)
	if status != 1 || out != "" || !strings.Contains(errs, text) || strings.Count(errs, "\n") != 1 {
		b.t.Errorf("status %d, output %q, errors %q; want 1 and one line with %q", status, out, errs, text)
	}
	var line struct{ Level, Msg string }
	data, err := os.ReadFile(log)
	if err == nil {
		lines := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
		err = json.Unmarshal(lines[len(lines)-1], &line)
	}
	if err != nil || line.Level != "error" || line.Msg != strings.TrimSpace(errs) {
		b.t.Errorf("log %q, %v; want what was on stderr: %q", data, err, errs)
	}
	for _, kind := range []string{"not found: not found", "exists: already exists", "argument: invalid argument", "invalid argument: invalid"} {
		if strings.Contains(errs, kind) {
			b.t.Errorf("%q says the same twice", errs)
		}
	}
	b.clean()
	if !asRunc || testing.Short() {
		return // with -short, as in the emulated machine of make test-vm, runc is left out
	}
	runc, err := exec.LookPath("runc")
	if err != nil {
		return
	}
	root := filepath.Join(b.dir, "runc")
	peer := exec.Command(runc, "--root", root, "run", b.id+"-runc")
	peer.Dir = b.dir
	said, _ := peer.CombinedOutput()
	if got := peer.ProcessState.ExitCode(); got != status {
		b.t.Errorf("runc's status is %d (%s), ours %d", got, said, status)
	}
	_ = exec.Command(runc, "--root", root, "delete", "-f", b.id+"-runc").Run()
}

// clean fails if a container left something.
func (b *bundle) clean() {
	b.t.Helper()
	if left, err := os.ReadDir(b.root); err == nil && len(left) > 0 {
		b.t.Errorf("state is left: %v", left)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		b.t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if at := strings.Fields(line)[4]; strings.HasPrefix(at+"/", b.dir+"/rootfs/") {
			b.t.Errorf("a mount is left: %s", line)
		}
	}
	_ = filepath.WalkDir("/sys/fs/cgroup", func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == b.id {
			b.t.Errorf("the cgroup %s is left", p)
		}
		return nil
	})
}

// TestRootfsThatCannotBeWritten: read-only, and without a free inode. What needs
// nothing new in it runs all the same.
func TestRootfsThatCannotBeWritten(t *testing.T) {
	b := newBundle(t)
	root := filepath.Join(b.dir, "rootfs")
	full := filepath.Join(b.dir, "full")
	if err := os.Mkdir(full, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", full, "tmpfs", 0, "nr_inodes=64"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(full, unix.MNT_DETACH) })
	if out, err := exec.Command("cp", "-a", root+"/.", full).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var err error
	for i := 0; err == nil; i++ {
		var f *os.File
		if f, err = os.Create(filepath.Join(full, "fill-"+strings.Repeat("x", i+1))); err == nil {
			f.Close()
		}
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
	ro := filepath.Join(b.dir, "ro")
	if err := os.Mkdir(ro, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(root, ro, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(ro, unix.MNT_DETACH) })
	if err := unix.Mount("", ro, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{ro: "read-only file system", full: "no space left on device"} {
		for _, change := range []func(s *specs.Spec){
			func(s *specs.Spec) { s.Process.Cwd = "/not/there" },
			func(s *specs.Spec) {
				s.Mounts = append(s.Mounts, specs.Mount{Destination: "/x", Type: "tmpfs", Source: "tmpfs"})
			},
			func(s *specs.Spec) {
				s.Mounts = append(s.Mounts, specs.Mount{Destination: "/y", Type: "bind", Source: "/dev/null", Options: []string{"bind"}})
			},
		} {
			b.configure(func(s *specs.Spec) {
				s.Root.Path, s.Process.Args = path, []string{"true"}
				change(s)
			})
			b.refused(text, true)
		}
		b.configure(func(s *specs.Spec) { s.Root.Path, s.Process.Args = path, []string{"echo", "runs"} })
		if out := b.ok("run", b.id); out != "runs\n" {
			t.Errorf("%s: %q", path, out)
		}
	}
}
