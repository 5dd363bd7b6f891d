package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"berth/engine/events"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
)

// limit reads a file of a container's cgroup, by its names in v1 and v2.
func (r *rig) limit(id, controller, v1, v2 string) string {
	r.t.Helper()
	name := v1
	if r.cgroups.unified {
		name = v2
	}
	b, err := os.ReadFile(filepath.Join(r.cgroups.dir(controller, r.cgroups.parent+"/"+id), name))
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func (r *rig) update(id string, u container.Resources) {
	r.t.Helper()
	if err := r.Containers.Update(r.ctx, id, container.UpdateConfig{Resources: u}); err != nil {
		r.t.Fatal(err)
	}
}

func TestUpdateOfARunningContainer(t *testing.T) {
	r := newRig(t)
	id := r.run(shell("exec sleep 1000"))
	pids := int64(33)
	r.update(id, container.Resources{Memory: 64 << 20, MemorySwap: 128 << 20, PidsLimit: &pids, CPUShares: 512})
	r.update(id, container.Resources{Memory: 32 << 20, NanoCPUs: 5e8})
	memory := func() string { return r.limit(id, "memory", "memory.limit_in_bytes", "memory.max") }
	if got := memory(); got != "33554432" {
		t.Errorf("memory %s", got)
	}
	if got := r.limit(id, "pids", "pids.max", "pids.max"); got != "33" {
		t.Errorf("pids %s", got)
	}
	if got := r.limit(id, "cpu", "cpu.cfs_quota_us", "cpu.max"); !strings.HasPrefix(got, "50000") {
		t.Errorf("quota %s", got)
	}
	none, tooMany := int64(0), int64(1)<<62
	r.update(id, container.Resources{PidsLimit: &none})
	if got := r.limit(id, "pids", "pids.max", "pids.max"); got != "max" {
		t.Errorf("pids %s", got)
	}
	// What cannot be leaves everything as it was.
	for what, c := range map[string]struct {
		u    container.UpdateConfig
		is   func(error) bool
		says string
	}{
		"less than a process needs": {container.UpdateConfig{Resources: container.Resources{Memory: 1 << 20}}, errdefs.IsInvalidArgument, "Minimum memory limit allowed is 6MB"},
		"more than with swap":       {container.UpdateConfig{Resources: container.Resources{Memory: 256 << 20}}, errdefs.IsConflict, "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time"},
		"a quota beside CPUs":       {container.UpdateConfig{Resources: container.Resources{CPUQuota: 1000, PidsLimit: &pids}}, errdefs.IsConflict, "Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set"},
		"CPUs that are not there":   {container.UpdateConfig{Resources: container.Resources{CpusetCpus: "4000"}}, errdefs.IsInvalidArgument, "Requested CPUs are not available - requested 4000"},
		"a period of no length":     {container.UpdateConfig{Resources: container.Resources{CPUPeriod: 5}}, errdefs.IsInvalidArgument, "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"},
		"a policy of no name":       {container.UpdateConfig{RestartPolicy: container.RestartPolicy{Name: "sometimes"}}, errdefs.IsInvalidArgument, "sometimes"},
		"what the kernel refuses":   {container.UpdateConfig{Resources: container.Resources{PidsLimit: &tooMany, CPUShares: 700}}, func(error) bool { return true }, "Cannot update container " + id},
	} {
		if err := r.Containers.Update(r.ctx, id, c.u); err == nil || !c.is(err) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if got := r.limit(id, "pids", "pids.max", "pids.max"); got != "max" {
		t.Errorf("after what cannot be: pids %s", got)
	}
	if hc := r.inspect(id).HostConfig; hc.Memory != 32<<20 || hc.MemorySwap != 128<<20 || *hc.PidsLimit != 0 || hc.CPUShares != 512 || hc.NanoCPUs != 5e8 {
		t.Errorf("inspect: %+v", hc.Resources)
	}
	// It is the container's own from now on: also in its next run, of the next engine.
	r.close()
	r.open()
	if err := r.Containers.Restart(r.ctx, id, StopOptions{Signal: "KILL"}); err != nil {
		t.Fatal(err)
	}
	if got := memory(); got != "33554432" {
		t.Errorf("memory of the next run %s", got)
	}
}

func TestUpdateOfAContainerThatDoesNotRun(t *testing.T) {
	r := newRig(t)
	sub := r.Events.Subscribe(events.Options{})
	id := r.create(shell("exit 1"))
	r.update(id, container.Resources{CPUShares: 512, MemorySwap: 1 << 30})
	err := r.Containers.Update(r.ctx, id, container.UpdateConfig{RestartPolicy: container.RestartPolicy{Name: "on-failure", MaximumRetryCount: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.actions(sub, id, "update"); len(got) != 2 {
		t.Errorf("events %v", got)
	}
	r.update(id, container.Resources{Memory: 64 << 20})
	r.start(id)
	r.until("the restart that the new policy asks for", func() string {
		if c := r.inspect(id); c.RestartCount == 1 && c.State.Status == "exited" {
			return ""
		}
		return "not restarted"
	})
	o := shell("true")
	o.HostConfig.AutoRemove = true
	id = r.create(o)
	err = r.Containers.Update(r.ctx, id, container.UpdateConfig{RestartPolicy: container.RestartPolicy{Name: "always"}})
	if !errdefs.IsConflict(err) || !strings.Contains(err.Error(), "AutoRemove is enabled") {
		t.Errorf("a policy for a container that is removed at its end: %v", err)
	}
	if err := r.Containers.Update(r.ctx, "nobody", container.UpdateConfig{}); !errdefs.IsNotFound(err) {
		t.Errorf("nobody: %v", err)
	}
}
