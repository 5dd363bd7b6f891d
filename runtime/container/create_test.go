package container

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// TestCreateRefuses gives Create what cannot be created. The fixture makes sure
// that nothing half made is left.
func TestCreateRefuses(t *testing.T) {
	invalid, notFound := errdefs.ErrInvalidArgument, errdefs.ErrNotFound
	ns := func(types ...specs.LinuxNamespaceType) (list []specs.LinuxNamespace) {
		for _, n := range types {
			list = append(list, specs.LinuxNamespace{Type: n})
		}
		return list
	}
	limit := int64(-7)
	for text, c := range map[string]struct {
		kind   error
		change func(o *Options, s *specs.Spec)
	}{
		"no root file system at":       {notFound, func(o *Options, s *specs.Spec) { s.Root.Path = "gone" }},
		"root.path: the spec has none": {invalid, func(o *Options, s *specs.Spec) { s.Root = nil }},
		"is not a directory":           {invalid, func(o *Options, s *specs.Spec) { s.Root.Path = "out" }},
		"process: the spec has none":   {invalid, func(o *Options, s *specs.Spec) { s.Process = nil }},
		"process.args":                 {invalid, func(o *Options, s *specs.Spec) { s.Process.Args = nil }},
		"process.cwd":                  {invalid, func(o *Options, s *specs.Spec) { s.Process.Cwd = "tmp" }},
		"NAME=value":                   {invalid, func(o *Options, s *specs.Spec) { s.Process.Env = []string{"novalue"} }},
		"NUL":                          {invalid, func(o *Options, s *specs.Spec) { s.Process.Args = []string{"a\x00b"} }},
		"ociVersion":                   {invalid, func(o *Options, s *specs.Spec) { s.Version = "2.0.0" }},
		"invalid container ID":         {invalid, func(o *Options, s *specs.Spec) { o.ID = "../x" }},
		"a mount namespace is needed":  {invalid, func(o *Options, s *specs.Spec) { s.Linux.Namespaces = ns("pid", "uts") }},
		"private UTS namespace":        {invalid, func(o *Options, s *specs.Spec) { s.Linux.Namespaces = ns("mount") }},
		"pid is given twice":           {invalid, func(o *Options, s *specs.Spec) { s.Linux.Namespaces = ns("mount", "pid", "pid") }},
		"unknown type \"moon\"":        {invalid, func(o *Options, s *specs.Spec) { s.Linux.Namespaces = ns("mount", "moon") }},
		"join the network namespace":   {unix.ENOENT, func(o *Options, s *specs.Spec) { s.Linux.Namespaces[1].Path = "/gone" }},
		"unknown limit":                {invalid, func(o *Options, s *specs.Spec) { s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_X"}} }},
		"above the hard limit": {invalid, func(o *Options, s *specs.Spec) {
			s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_CORE", Soft: 2, Hard: 1}}
		}},
		"set RLIMIT_NOFILE": {unix.EPERM, func(o *Options, s *specs.Spec) {
			s.Process.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Soft: 1, Hard: 1 << 40}}
		}},
		"a console socket is needed":       {invalid, func(o *Options, s *specs.Spec) { s.Process.Terminal = true }},
		"linux.rootfsPropagation":          {invalid, func(o *Options, s *specs.Spec) { s.Linux.RootfsPropagation = "sideways" }},
		"not in a separate kernel name":    {invalid, func(o *Options, s *specs.Spec) { s.Linux.Sysctl = map[string]string{"vm.swappiness": "1"} }},
		"net.no.such":                      {unix.ENOENT, func(o *Options, s *specs.Spec) { s.Linux.Sysctl = map[string]string{"net.no.such": "1"} }},
		"the root itself cannot":           {invalid, func(o *Options, s *specs.Spec) { addMount(s, "/", "tmpfs", "tmpfs") }},
		"not allowed inside /proc":         {invalid, func(o *Options, s *specs.Spec) { addMount(s, "/proc/sys", "bind", "/tmp", "bind") }},
		"bind /gone on /x":                 {notFound, func(o *Options, s *specs.Spec) { addMount(s, "/x", "bind", "/gone", "bind") }},
		"size=lots":                        {invalid, func(o *Options, s *specs.Spec) { addMount(s, "/x", "tmpfs", "tmpfs", "size=lots") }},
		"file system type not known":       {errdefs.ErrNotImplemented, func(o *Options, s *specs.Spec) { addMount(s, "/x", "floppyfs", "x") }},
		"executable file not found in $PA": {ErrNotFound, func(o *Options, s *specs.Spec) { s.Process.Args = []string{"nosuch"} }},
		"/no/such: no such file or":        {ErrNotFound, func(o *Options, s *specs.Spec) { s.Process.Args = []string{"/no/such"} }},
		"is a directory":                   {ErrNotExecutable, func(o *Options, s *specs.Spec) { s.Process.Args = []string{"/bin"} }},
		"unknown type \"x\"":               {invalid, func(o *Options, s *specs.Spec) { s.Linux.Resources = devices("x", "rwm") }},
		"access \"rwz\"":                   {invalid, func(o *Options, s *specs.Spec) { s.Linux.Resources = devices("c", "rwz") }},
		"linux.resources.memory.limit": {invalid, func(o *Options, s *specs.Spec) {
			s.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &limit}}
		}},
		"linux.resources.cpu.cpus": {invalid, func(o *Options, s *specs.Spec) {
			s.Linux.Resources = &specs.LinuxResources{CPU: &specs.LinuxCPU{Cpus: "many"}}
		}},
		"no device has the numbers 4096:0": {invalid, func(o *Options, s *specs.Spec) {
			s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/x", Type: "b", Major: 4096}}
		}},
		"unknown device type":               {invalid, func(o *Options, s *specs.Spec) { s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/x", Type: "q"}} }},
		"linux.seccomp: defaultAction":      {invalid, func(o *Options, s *specs.Spec) { s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: "no"} }},
		"enter the working directory /etc/": {unix.ENOTDIR, func(o *Options, s *specs.Spec) { s.Process.Cwd = "/etc/passwd" }},
	} {
		t.Run(strings.Map(letters, text), func(t *testing.T) {
			f := newFixture(t, "true")
			if err := os.WriteFile(filepath.Join(f.opts.Bundle, "rootfs/etc/passwd"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
			c.change(&f.opts, f.opts.Spec)
			made, err := Create(context.Background(), f.opts)
			if err == nil {
				t.Fatalf("created %s", made.ID())
			}
			if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), text) {
				t.Errorf("error %v; want %v and %q in it", err, c.kind, text)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error of more than a line: %v", err)
			}
		})
	}
}

func letters(r rune) rune {
	if r >= 'a' && r <= 'z' {
		return r
	}
	return -1
}

func addMount(s *specs.Spec, dest, kind, source string, options ...string) {
	s.Mounts = append(s.Mounts, specs.Mount{Destination: dest, Type: kind, Source: source, Options: options})
}

func devices(kind, access string) *specs.LinuxResources {
	return &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: true, Type: kind, Access: access}}}
}

func TestConfigCutOff(t *testing.T) {
	f := newFixture(t, "true")
	f.opts.Spec = nil
	for content, text := range map[string]string{
		`{"ociVersion": "1.0.2", "process": {"args": ["tr`: "is cut off after",
		``:                         "is cut off after 0 bytes",
		`{"process": {"args": 7}}`: "args",
		`[]`:                       "array",
		"\x00\xff":                 "invalid character",
	} {
		if err := os.WriteFile(filepath.Join(f.opts.Bundle, "config.json"), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Create(context.Background(), f.opts); !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), text) {
			t.Errorf("config.json %q: error %v, want %q in it", content, err, text)
		}
	}
	if err := os.Remove(filepath.Join(f.opts.Bundle, "config.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(context.Background(), f.opts); !errdefs.IsNotFound(err) {
		t.Errorf("no config.json: %v", err)
	}
}

func TestLifecycleOutOfOrder(t *testing.T) {
	f := newFixture(t, "sleep", "1000")
	status := func(c *Container, want specs.ContainerState) {
		t.Helper()
		if s, err := c.State(); err != nil || s.Status != want {
			t.Errorf("status %v, %v; want %s", s.Status, err, want)
		}
	}
	refused := func(what string, err error, kind error) {
		t.Helper()
		if !errors.Is(err, kind) {
			t.Errorf("%s: error %v, want %v", what, err, kind)
		}
	}
	_, err := Load(f.root, "nobody")
	refused("load of nothing", err, errdefs.ErrNotFound)
	c := f.create()
	status(c, specs.StateCreated)
	_, err = Create(context.Background(), f.opts)
	refused("second create", err, errdefs.ErrAlreadyExists)
	refused("resume of a created one", c.Resume(), errdefs.ErrFailedPrecondition)
	other, err := Load(f.root, c.ID())
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil { // by another than its creator
		t.Fatal(err)
	}
	status(c, specs.StateRunning)
	refused("second start", c.Start(), errdefs.ErrFailedPrecondition)
	refused("delete of a running one", c.Delete(false), errdefs.ErrFailedPrecondition)
	if err := c.Pause(); err != nil {
		t.Fatal(err)
	}
	status(other, Paused)
	refused("exec in a paused one", errOf(c.Exec(context.Background(), ExecOptions{Process: f.opts.Spec.Process})), errdefs.ErrFailedPrecondition)
	if err := c.Kill(unix.SIGKILL, false); err != nil { // thaws it
		t.Fatal(err)
	}
	if s := f.wait(c.Init()); s.Signal() != unix.SIGKILL {
		t.Errorf("wait status %v", s)
	}
	status(c, specs.StateStopped)
	refused("kill of a stopped one", c.Kill(unix.SIGTERM, false), errdefs.ErrFailedPrecondition)
	refused("start of a stopped one", c.Start(), errdefs.ErrFailedPrecondition)
	refused("exec in a stopped one", errOf(c.Exec(context.Background(), ExecOptions{Process: f.opts.Spec.Process})), errdefs.ErrFailedPrecondition)
	if err := c.Delete(false); err != nil {
		t.Fatal(err)
	}
	refused("second delete", c.Delete(false), errdefs.ErrNotFound)
}

func errOf(_ *Process, err error) error { return err }

// TestDeleteOfACreated is the one case in which delete needs no force.
func TestDeleteOfACreated(t *testing.T) {
	f := newFixture(t, "true")
	c := f.create()
	if err := c.Delete(false); err != nil {
		t.Fatal(err)
	}
	f.wait(c.Init())
}

// TestStartOfWhatIsNoProgram has a command that only execve can refuse.
func TestStartOfWhatIsNoProgram(t *testing.T) {
	f := newFixture(t, "/bin/garbage")
	elf := append([]byte("\x7fELF"), binary.LittleEndian.AppendUint64(nil, 1<<40)...)
	if err := os.WriteFile(filepath.Join(f.opts.Bundle, "rootfs/bin/garbage"), elf, 0o755); err != nil {
		t.Fatal(err)
	}
	c := f.create()
	if err := c.Start(); !errors.Is(err, ErrNotExecutable) || !strings.Contains(err.Error(), "exec format error") {
		t.Errorf("start: %v", err)
	}
	if s := f.wait(c.Init()); s.ExitStatus() != 126 {
		t.Errorf("status %v, want 126", s)
	}
	if err := c.Delete(false); err != nil {
		t.Fatal(err)
	}
}
