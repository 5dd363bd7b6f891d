package container

import (
	"fmt"

	"berth/runtime/cgroup"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Update changes the limits that r names of a container that has not ended. Its
// devices stay as they are.
func (c *Container) Update(r *specs.LinuxResources) error {
	return c.dir.withLock(func() error {
		if c.status() == specs.StateStopped || c.cg == nil {
			return fmt.Errorf("update container %s: container not running: %w", c.rec.ID, errdefs.ErrFailedPrecondition)
		}
		if err := c.cg.Update(r); err != nil {
			return fmt.Errorf("update container %s: %w", c.rec.ID, err)
		}
		return nil
	})
}

// Stats reads what the kernel counts of a container that has not ended.
func (c *Container) Stats() (cgroup.Stats, error) {
	if c.status() == specs.StateStopped || c.cg == nil {
		return cgroup.Stats{}, fmt.Errorf("container with id %s is not running: %w", c.rec.ID, errdefs.ErrFailedPrecondition)
	}
	s, err := c.cg.Stats()
	if err != nil {
		return s, fmt.Errorf("statistics of container %s: %w", c.rec.ID, err)
	}
	return s, nil
}

// WatchOOM calls oom each time the container runs out of memory, until it has
// ended and been deleted.
func (c *Container) WatchOOM(oom func()) error {
	if c.cg == nil {
		return fmt.Errorf("container with id %s is not running: %w", c.rec.ID, errdefs.ErrFailedPrecondition)
	}
	return c.cg.WatchOOM(oom)
}

// cgroup is where an exec runs.
func (e *execution) cgroup(c *Container) (*cgroup.Manager, error) {
	if c.cg == nil {
		if len(e.o.Cgroups) > 0 {
			return nil, errNoCgroup
		}
		return &cgroup.Manager{}, nil
	}
	if len(e.o.Cgroups) > 0 {
		return c.cg.Sub(e.o.Cgroups)
	}
	return c.cg.Of(c.rec.PID)
}

// cgroup is where the container runs.
func (o *Options) cgroup(spec *specs.Spec) (*cgroup.Manager, error) {
	if o.SystemdCgroup {
		return cgroup.NewSystemd(spec.Linux.CgroupsPath, o.ID, spec.Linux.Resources, spec.Annotations)
	}
	return cgroup.New(spec.Linux.CgroupsPath, o.ID, spec.Linux.Resources)
}
