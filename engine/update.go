package engine

import (
	"context"
	"fmt"

	"berth/engine/spec"
	"berth/shim"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Update changes the limits of a container that u has (zero leaves one as it is) and
// its restart policy if u names one: at once if it runs, else from its next start on.
// On an error all is as before. What contradicts the limits that the container has
// is a Conflict.
func (cs *Containers) Update(_ context.Context, ref string, u container.UpdateConfig) error {
	c, err := cs.get(ref)
	if err != nil {
		return err
	}
	if u.RestartPolicy.Name != "" {
		if err := container.ValidateRestartPolicy(u.RestartPolicy); err != nil {
			return kind(errdefs.ErrInvalidArgument, "%v", err)
		}
	}
	if err := cs.e.capacity.refuse(&u.Resources); err != nil {
		return err
	}
	limits, err := spec.Changes(u.Resources)
	if err != nil {
		return err
	}
	c.op.Lock()
	defer c.op.Unlock()
	c.mu.Lock()
	before, removing := c.rec, c.removing || c.gone
	c.mu.Unlock()
	//lint:ignore ST1005 the words are docker's
	failed := func(err error) error { return fmt.Errorf("Cannot update container %s: %w", c.id, err) }
	if removing {
		return failed(kind(errdefs.ErrConflict, `container is marked for removal and cannot be "update"`))
	}
	hc, err := updated(before.HostConfig, u)
	if err != nil {
		return failed(err)
	}
	if _, _, err := c.running(); err == nil {
		if err := cs.applyLimits(c.id, limits); err != nil {
			return failed(err)
		}
	}
	after := c.change(func(r *record) { r.HostConfig = hc })
	cs.emit(after, events.ActionUpdate)
	return cs.save(after)
}

// applyLimits writes the limits of a running container to its cgroup.
func (cs *Containers) applyLimits(id string, limits *specs.LinuxResources) error {
	return shim.Update(cs.shimDir(id), cs.runtimeRoot(), id, limits)
}

// updated is hc with what u changes of it.
func updated(hc *container.HostConfig, u container.UpdateConfig) (*container.HostConfig, error) {
	have := hc.Resources
	for _, c := range []struct {
		conflict    bool
		what, other string
	}{
		{u.NanoCPUs > 0 && have.CPUPeriod > 0, "Nano CPUs", "CPU Period"},
		{u.NanoCPUs > 0 && have.CPUQuota > 0, "Nano CPUs", "CPU Quota"},
		{u.CPUPeriod > 0 && have.NanoCPUs > 0, "CPU Period", "NanoCPUs"},
		{u.CPUQuota > 0 && have.NanoCPUs > 0, "CPU Quota", "NanoCPUs"},
	} {
		if c.conflict {
			return nil, kind(errdefs.ErrConflict, "Conflicting options: %s cannot be updated as %s has already been set", c.what, c.other)
		}
	}
	if u.Memory > 0 && u.Memory > have.MemorySwap && u.MemorySwap == 0 {
		return nil, kind(errdefs.ErrConflict, "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time")
	}
	if hc.AutoRemove && u.RestartPolicy.Name != "" && !u.RestartPolicy.IsNone() {
		return nil, kind(errdefs.ErrConflict, "Restart policy cannot be updated because AutoRemove is enabled for the container")
	}
	out := *hc
	take(&out.BlkioWeight, u.BlkioWeight)
	take(&out.CPUShares, u.CPUShares)
	take(&out.NanoCPUs, u.NanoCPUs)
	take(&out.CPUPeriod, u.CPUPeriod)
	take(&out.CPUQuota, u.CPUQuota)
	take(&out.CPURealtimePeriod, u.CPURealtimePeriod)
	take(&out.CPURealtimeRuntime, u.CPURealtimeRuntime)
	take(&out.CpusetCpus, u.CpusetCpus)
	take(&out.CpusetMems, u.CpusetMems)
	take(&out.Memory, u.Memory)
	take(&out.MemorySwap, u.MemorySwap)
	take(&out.MemoryReservation, u.MemoryReservation)
	take(&out.PidsLimit, u.PidsLimit)
	take(&out.RestartPolicy, u.RestartPolicy)
	return &out, nil
}

// take sets dst to v unless v is nothing.
func take[T comparable](dst *T, v T) {
	var zero T
	if v != zero {
		*dst = v
	}
}
