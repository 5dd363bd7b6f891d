package container

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"berth/runtime/cgroup"
	"berth/runtime/initproc"
	"berth/runtime/resctrl"
	"berth/runtime/rootfs"
	"berth/runtime/seccomp"
	"github.com/containerd/errdefs"
)

// FuzzSpec gives everything that reads a config.json before something is made
// whatever bytes there are. It may refuse them, and must not panic.
func FuzzSpec(f *testing.F) {
	seed, err := json.Marshal(testSpec("true"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"ociVersion":"1.0.2","process":{"args":["a"],"cwd":"/","rlimits":[{"type":"RLIMIT_CPU","hard":1,"soft":1}]},"linux":{"namespaces":[{"type":"mount"}],"seccomp":{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86"],"syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW","args":[{"index":1,"value":2,"valueTwo":3,"op":"SCMP_CMP_MASKED_EQ"}]}]},"resources":{"devices":[{"allow":true,"type":"c","access":"r"}],"memory":{"limit":-1,"swap":5}}}}`))
	f.Add([]byte(`{"ociVersion":"1.0.2","mounts":[null,{}],"hooks":{"prestart":[{}]},"linux":{"sysctl":{"..":""},"devices":[{}],"resources":{"unified":{"/":""}}}}`))
	f.Add([]byte(`{"process":{"args":["a"],"cwd":"/","env":["A=","A=b"],"scheduler":{"policy":"SCHED_DEADLINE","flags":["SCHED_FLAG_RECLAIM"],"runtime":5},"ioPriority":{"class":"IOPRIO_CLASS_BE","priority":7},"execCPUAffinity":{"initial":"0-3,7","final":"8191"},"user":{"additionalGids":[1,1]},"consoleSize":{"height":70000,"width":1},"terminal":true},"root":{"path":"/"},"hooks":{"startContainer":[{"path":"/x","timeout":1}]},"linux":{"namespaces":[{"type":"mount"},{"type":"network"}],"personality":{"domain":"LINUX32"},"memoryPolicy":{"mode":"MPOL_BIND","nodes":"0-1023","flags":["MPOL_F_STATIC_NODES"]},"netDevices":{"a":{"name":"b"}},"intelRdt":{"closID":"x","schemata":["L3:0=f;1=","MB:"]},"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/l","flags":["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"],"syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_NOTIFY"}]}}}`))
	f.Add([]byte(`{"process":{"args":["a"],"cwd":"/"},"root":{"path":"/"},"mounts":[` + strings.Repeat(`{"destination":"/proc","type":"proc","options":["hidepid=2"]},`, 600) + `{"destination":"/x"}],"linux":{"namespaces":[{"type":"mount"}]}}`))
	f.Fuzz(func(t *testing.T, config []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "config.json"), config, 0o600); err != nil {
			t.Fatal(err)
		}
		spec, err := LoadSpec(dir)
		if err != nil {
			return
		}
		if _, err := validate(spec); err != nil {
			return
		}
		// What Create does next, each of which may refuse.
		_, _ = rootfs.Path(spec, dir)
		_, _ = rootfs.ProcMounts(spec)
		if spec.Linux.IntelRdt != nil {
			_, _ = resctrl.New(dir, "id", spec.Linux.IntelRdt)
		}
		_, _ = cgroup.Load(map[string]string{"": dir}, spec.Linux.Resources)
		_, _ = cgroup.Load(map[string]string{"devices": dir}, spec.Linux.Resources)
		filter, err := seccomp.Compile(spec.Linux.Seccomp)
		if err != nil {
			return
		}
		p, err := initproc.New(initproc.Size(spec.Process, len(filter.Code)))
		if err != nil {
			t.Fatal(err)
		}
		defer p.Free()
		c := initproc.Process{Spec: spec.Process, Seccomp: filter, Listen: 9, Sync: 10, Stdio: [3]int{0, 1, 2}, Settings: settings(spec),
			HostProc: 11, Labels: []initproc.Label{{Field: "process.selinuxLabel", Path: "attr/exec", Value: spec.Process.SelinuxLabel}}}
		if len(spec.Process.SelinuxLabel) >= os.Getpagesize() {
			return // label refuses it
		}
		if c.Proc, err = rootfs.ProcMounts(spec); err != nil {
			return
		}
		c.Paths, c.Env = []string{spec.Process.Args[0]}, append(spec.Process.Env, "HOME=/")
		p.Enter(&c)
		p.Become(&c)
	})
}

// FuzzState gives Load whatever state.json there is. What it loads names nothing of
// the host's for Delete to kill or remove.
func FuzzState(f *testing.F) {
	record := func(pid int, dir string) []byte {
		b, err := json.Marshal(record{Version: "1.2.0", ID: "x", PID: pid, Cgroups: map[string]string{"memory": dir}})
		if err != nil {
			f.Fatal(err)
		}
		return b
	}
	f.Add(record(1, "/sys/fs/cgroup/memory/x"))
	f.Add(record(-1, "/sys/fs/cgroup/memory"))
	f.Add([]byte(`{"id":"x","pid":0,"cgroups":{"":"/sys/fs/cgroup/x"},"hooks":{"poststop":[{}]},"process":{}} `))
	root := f.TempDir()
	if err := os.Mkdir(filepath.Join(root, "x"), 0o700); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, state []byte) {
		if err := os.WriteFile(filepath.Join(root, "x", stateFile), state, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Load(root, "x")
		if err != nil {
			if !errdefs.IsDataLoss(err) {
				t.Errorf("error %v", err)
			}
			return
		}
		for _, dir := range c.rec.Cgroups {
			if !strings.HasPrefix(dir, "/sys/fs/cgroup/") || strings.Contains(dir, "..") {
				t.Errorf("a cgroup at %q", dir)
			}
		}
		_, _ = c.State()
		_, _ = c.Pids()
		_, _ = c.OOMKills()
	})
}
