package container

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"berth/runtime/initproc"
	"berth/runtime/nsenter"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestScheduling(t *testing.T) {
	for _, want := range []specs.Scheduler{
		{Policy: specs.SchedOther, Nice: -5},
		{Policy: specs.SchedBatch, Nice: 3, Flags: []specs.LinuxSchedulerFlag{specs.SchedFlagResetOnFork}},
		{Policy: specs.SchedIdle},
		{Policy: specs.SchedRR, Priority: 7},
		{Policy: specs.SchedDeadline, Runtime: 1e6, Deadline: 2e7, Period: 3e7, Flags: []specs.LinuxSchedulerFlag{specs.SchedFlagReclaim}},
	} {
		f := newFixture(t, "true")
		f.opts.Spec.Process.Scheduler = &want
		c, err := Create(context.Background(), f.opts)
		if want.Priority != 0 && errors.Is(err, unix.EPERM) && strings.Contains(err.Error(), "linux.resources.cpu.realtimeRuntime") {
			continue // real-time policies are shared out among cgroups here, and none is the container's
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := unix.SchedGetAttr(c.Init().PID(), 0)
		numbers := map[specs.LinuxSchedulerPolicy]uint32{specs.SchedRR: 2, specs.SchedBatch: 3, specs.SchedIdle: 5, specs.SchedDeadline: 6}
		flags := map[specs.LinuxSchedulerPolicy]uint64{specs.SchedBatch: 1, specs.SchedDeadline: 2}
		if err != nil || got.Policy != numbers[want.Policy] || got.Flags != flags[want.Policy] || want.Policy != specs.SchedIdle && got.Nice != want.Nice || got.Priority != uint32(want.Priority) ||
			got.Period != want.Period || want.Period != 0 && (got.Runtime != want.Runtime || got.Deadline != want.Deadline) {
			t.Errorf("scheduler %+v, %v; want %+v", got, err, want)
		}
	}
	f := newFixture(t)
	f.opts.Spec.Process.IOPriority = &specs.LinuxIOPriority{Class: specs.IOPRIO_CLASS_BE, Priority: 6}
	f.want("ionice -p 1", "best-effort: prio 6")
	f = newFixture(t, "true")
	f.opts.Spec.Process.Scheduler = &specs.Scheduler{Policy: specs.SchedISO}
	if _, err := Create(context.Background(), f.opts); err == nil || !strings.Contains(err.Error(), "process.scheduler: run as SCHED_ISO") {
		t.Errorf("a policy that the kernel has not: %v", err)
	}
}

func TestPersonalityAndMemoryPolicy(t *testing.T) {
	f := newFixture(t)
	f.opts.Spec.Linux.Personality = &specs.LinuxPersonality{Domain: specs.PerLinux32}
	f.opts.Spec.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: specs.MpolBind, Nodes: "0", Flags: []specs.MemoryPolicyFlagType{specs.MpolFStaticNodes}}
	c := f.running()
	// An exec has them, too.
	for _, pid := range []string{"1", "self"} {
		out, _ := f.exec(c, "sh", "-c", "uname -m; cat /proc/"+pid+"/personality; grep -o 'bind=static:0' /proc/"+pid+"/numa_maps | uniq")
		if out != "i686\n00000008\nbind=static:0\n" && out != "armv8l\n00000008\nbind=static:0\n" {
			t.Errorf("process %s: %q", pid, out)
		}
	}
	f = newFixture(t, "true")
	f.opts.Spec.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: specs.MpolBind, Nodes: "1000"}
	if _, err := Create(context.Background(), f.opts); err == nil || !strings.Contains(err.Error(), `linux.memoryPolicy: set it to MPOL_BIND on nodes "1000"`) {
		t.Errorf("a node that is not there: %v", err)
	}
}

func TestExecAffinity(t *testing.T) {
	f := newFixture(t)
	f.opts.Spec.Process.ExecCPUAffinity = &specs.CPUAffinity{Initial: "0", Final: "0"}
	c := f.running()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	all := allowedCPUs(string(b))
	exec := func(a *specs.CPUAffinity, file string) (string, error) {
		out, err := os.Create(filepath.Join(f.opts.Bundle, "status"))
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		p, err := c.Exec(context.Background(), ExecOptions{Stdout: out, Stderr: out,
			Process: &specs.Process{Args: []string{"cat", file}, Cwd: "/", Env: []string{"PATH=/bin"}, ExecCPUAffinity: a}})
		if err != nil {
			return "", err
		}
		f.wait(p)
		b, err := os.ReadFile(out.Name())
		return allowedCPUs(string(b)), err
	}
	for _, c := range []struct {
		why, file, want string
		affinity        *specs.CPUAffinity
	}{
		{"init: the field is for execs", "/proc/1/status", all, nil},
		{"an exec without the field has the container's", "/proc/self/status", "0", nil},
		{"without final CPUs all those of the cgroup are given", "/proc/self/status", all, &specs.CPUAffinity{Initial: "0"}},
		{"final CPUs alone", "/proc/self/status", "0", &specs.CPUAffinity{Final: "0"}},
	} {
		if got, err := exec(c.affinity, c.file); got != c.want || err != nil {
			t.Errorf("%s: CPUs %q, %v; want %q", c.why, got, err, c.want)
		}
	}
	for _, bad := range []specs.CPUAffinity{{Initial: "4000"}, {Final: "4000"}} {
		_, err := exec(&bad, "/proc/self/status")
		if err == nil || !strings.Contains(err.Error(), "process.execCPUAffinity.") || !strings.Contains(err.Error(), "run on CPUs 4000") {
			t.Errorf("CPUs that are not there: %v", err)
		}
	}
}

// allowedCPUs reads the list of CPUs from a status file of /proc.
func allowedCPUs(status string) string {
	_, rest, _ := strings.Cut(status, "Cpus_allowed_list:")
	list, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(list)
}

// TestLabels has a directory stand for the host's /proc, as no security module
// need be there.
func TestLabels(t *testing.T) {
	f := newFixture(t, "sleep", "1000")
	c := f.running()
	proc := t.TempDir()
	file := filepath.Join(proc, "thread-self/attr/exec")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(proc)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	e, err := c.newExec(ExecOptions{Process: &specs.Process{Args: []string{"ls", "/proc/self/fd"}, Cwd: "/", Env: []string{"PATH=/bin"}}, Stdout: f.out, Stderr: f.out})
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	e.proc.HostProc, e.proc.Labels = int(dir.Fd()), []initproc.Label{{Field: "process.selinuxLabel", Path: "attr/exec", Value: "a:b:c"}}
	err = nsenter.Builder(func() error {
		if err := e.fork(); err != nil {
			return err
		}
		return e.follow()
	})
	if err != nil {
		t.Fatal(err)
	}
	f.wait(e.child)
	if b, err := os.ReadFile(file); err != nil || string(b) != "a:b:c" {
		t.Errorf("the label is %q, %v", b, err)
	}
	if got := strings.Fields(f.output()); len(got) != 4 {
		t.Errorf("the command has the descriptors %v", got)
	}
}

// TestLabelsWithoutModule is what hosts without AppArmor or SELinux answer.
func TestLabelsWithoutModule(t *testing.T) {
	for field, p := range map[string]specs.Process{
		"process.apparmorProfile": {ApparmorProfile: "berth-no-such-profile"}, "process.selinuxLabel": {SelinuxLabel: "berth:no:such:label"},
	} {
		f := newFixture(t, "true")
		f.opts.Spec.Process.ApparmorProfile, f.opts.Spec.Process.SelinuxLabel = p.ApparmorProfile, p.SelinuxLabel
		_, err := Create(context.Background(), f.opts)
		if err == nil || !strings.HasPrefix(err.Error(), field+": ") {
			t.Errorf("%s: %v", field, err)
		}
	}
	f := newFixture(t, "true")
	f.opts.Spec.Process.ApparmorProfile = strings.Repeat("x", 1<<20)
	if _, err := Create(context.Background(), f.opts); !errdefs.IsInvalidArgument(err) && !errdefs.IsNotImplemented(err) {
		t.Errorf("an endless profile name: %v", err)
	}
}

// TestEndlessLists are lists longer than what init's program has room for unless
// it is counted.
func TestEndlessLists(t *testing.T) {
	f := newFixture(t)
	root := filepath.Join(f.opts.Bundle, "rootfs")
	var dirs []string
	for i := range 1100 {
		dir := filepath.Join("/p", strings.Repeat("x", 1+i/10)+strings.Repeat("y", i%10))
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("/bin/busybox", filepath.Join(root, dir, "sh")); err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, dir)
	}
	f.opts.Spec.Process.Env = []string{"PATH=" + strings.Join(dirs, ":")}
	f.opts.Spec.Process.User.AdditionalGids = make([]uint32, 65536)
	f.want("echo fine", "fine")
	f = newFixture(t, "true")
	f.opts.Spec.Process.User.AdditionalGids = make([]uint32, 65537)
	if _, err := Create(context.Background(), f.opts); err == nil || !strings.Contains(err.Error(), "process.user.additionalGids") {
		t.Errorf("more groups than the kernel takes: %v", err)
	}
}

// TestEnvironmentHasNamesOnce: getenv(3) finds the first of a name, and what was
// given last is what counts.
func TestEnvironmentHasNamesOnce(t *testing.T) {
	f := newFixture(t)
	f.opts.Spec.Process.Env = []string{"A=1", "PATH=/nowhere", "A=2", "HOME=", "PATH=/bin", "B=x=y"}
	f.want("tr '\\0' '\\n' < /proc/1/environ | sort", "A=2\nB=x=y\nHOME=/\nPATH=/bin")
}

// TestApparmor runs where the kernel has AppArmor, as in the virtual machine of make
// test-vm: a profile that everybody has, one that nobody has, and the exec's own.
func TestApparmor(t *testing.T) {
	if _, err := apparmorFile(); err != nil {
		t.Skip(err)
	}
	f := newFixture(t)
	f.opts.Spec.Process.ApparmorProfile = "unconfined"
	c := f.running()
	out, _ := f.exec(c, "cat", "/proc/1/attr/current", "/proc/self/attr/current")
	if out != "unconfined\nunconfined\n" {
		t.Errorf("profiles %q", out)
	}
	_, err := c.Exec(context.Background(), ExecOptions{Process: &specs.Process{Args: []string{"true"}, Cwd: "/", Env: []string{"PATH=/bin"}, ApparmorProfile: "berth-gone"}})
	if err == nil || !strings.Contains(err.Error(), "process.apparmorProfile: ask for exec berth-gone") {
		t.Errorf("a profile that nobody has: %v", err)
	}
}
