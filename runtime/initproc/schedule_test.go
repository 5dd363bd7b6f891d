package initproc

import (
	"slices"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestCheckSchedule(t *testing.T) {
	scheduler := func(s specs.Scheduler) specs.Process { return specs.Process{Scheduler: &s} }
	priority := func(c specs.IOPriorityClass, n int) specs.Process {
		return specs.Process{IOPriority: &specs.LinuxIOPriority{Class: c, Priority: n}}
	}
	cpus := func(initial, final string) specs.Process {
		return specs.Process{ExecCPUAffinity: &specs.CPUAffinity{Initial: initial, Final: final}}
	}
	for _, c := range []struct {
		want    string // in the error; "" for none
		process specs.Process
	}{
		{"", scheduler(specs.Scheduler{Policy: "SCHED_OTHER", Nice: -20})},
		{"", scheduler(specs.Scheduler{Policy: "SCHED_DEADLINE", Runtime: 1, Flags: []specs.LinuxSchedulerFlag{"SCHED_FLAG_RECLAIM"}})},
		{`process.scheduler.policy: unknown policy ""`, scheduler(specs.Scheduler{})},
		{"process.scheduler.flags", scheduler(specs.Scheduler{Policy: "SCHED_RR", Flags: []specs.LinuxSchedulerFlag{"X"}})},
		{"process.scheduler.nice: 20", scheduler(specs.Scheduler{Policy: "SCHED_BATCH", Nice: 20})},
		{"process.scheduler.priority", scheduler(specs.Scheduler{Policy: "SCHED_IDLE", Priority: 1})},
		{"process.scheduler.runtime", scheduler(specs.Scheduler{Policy: "SCHED_RR", Period: 1})},
		{"", priority("IOPRIO_CLASS_IDLE", 7)},
		{"process.ioPriority.class", priority("IOPRIO_CLASS_NONE", 0)},
		{"process.ioPriority.priority: 8", priority("IOPRIO_CLASS_BE", 8)},
		{"", cpus("0-3,7", "")},
		{"process.execCPUAffinity.initial", cpus("3-1", "")},
		{"process.execCPUAffinity.final", cpus("", "0,")},
		{"process.execCPUAffinity.final", cpus("", "9999999")},
	} {
		err := CheckSchedule(&c.process)
		if c.want == "" && err != nil || c.want != "" && (!errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

func TestCheckSettings(t *testing.T) {
	memory := func(mode specs.MemoryPolicyModeType, nodes string, flags ...specs.MemoryPolicyFlagType) Settings {
		return Settings{MemoryPolicy: &specs.LinuxMemoryPolicy{Mode: mode, Nodes: nodes, Flags: flags}}
	}
	for _, c := range []struct {
		want     string
		settings Settings
	}{
		{"", Settings{}},
		{"", Settings{Personality: &specs.LinuxPersonality{Domain: "LINUX"}}},
		{`linux.personality.domain: unknown domain "BSD"`, Settings{Personality: &specs.LinuxPersonality{Domain: "BSD"}}},
		{"linux.personality.flags", Settings{Personality: &specs.LinuxPersonality{Domain: "LINUX", Flags: []specs.LinuxPersonalityFlag{"X"}}}},
		{"", memory("MPOL_BIND", "0-3,5", "MPOL_F_STATIC_NODES", "MPOL_F_NUMA_BALANCING")},
		{"", memory("MPOL_PREFERRED", "")},
		{"linux.memoryPolicy.mode", memory("MPOL_X", "0")},
		{"linux.memoryPolicy.flags: unknown", memory("MPOL_BIND", "0", "X")},
		{"linux.memoryPolicy.flags: MPOL_F_STATIC_NODES and", memory("MPOL_BIND", "0", "MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES")},
		{"is not for mode MPOL_INTERLEAVE", memory("MPOL_INTERLEAVE", "0", "MPOL_F_NUMA_BALANCING")},
		{"linux.memoryPolicy.nodes: mode MPOL_LOCAL takes none", memory("MPOL_LOCAL", "0")},
		{"linux.memoryPolicy.nodes: mode MPOL_BIND needs some", memory("MPOL_BIND", "")},
		{`linux.memoryPolicy.nodes: "1024"`, memory("MPOL_BIND", "1024")},
	} {
		err := c.settings.Check()
		if c.want == "" && err != nil || c.want != "" && (!errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

func TestMask(t *testing.T) {
	got, err := mask("0-2,64,127", 128)
	if err != nil || !slices.Equal(got, []uint64{7, 1 | 1<<63}) {
		t.Errorf("mask %x, %v", got, err)
	}
	if got, err := mask("", 64); got != nil || err != nil {
		t.Errorf("the empty list gives %x, %v", got, err)
	}
}
