package shim

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"berth/runtime/container"
	"berth/shim/external"
)

// box is a container without its shim: berth's own runtime's, or an external one's.
type box interface {
	Delete(force bool) error
	Update(*specs.LinuxResources) error
	Pids() ([]int, error)
}

// find is the container id whose shim has or had the directory dir and the
// Config.RuntimeRoot runtimeRoot. There being none is NotFound.
func find(dir, runtimeRoot, id string) (box, error) {
	c, err := external.Open(dir, id)
	if err != nil {
		return nil, err
	}
	if c != nil {
		return c, nil
	}
	return container.Load(runtimeRoot, id)
}

// Update changes the limits that limits names of a container that runs. Its arguments are as those of Reap.
func Update(dir, runtimeRoot, id string, limits *specs.LinuxResources) error {
	b, err := find(dir, runtimeRoot, id)
	if err != nil {
		return err
	}
	return b.Update(limits)
}

// Pids lists the processes of a container. Its arguments are as those of Reap.
func Pids(dir, runtimeRoot, id string) ([]int, error) {
	b, err := find(dir, runtimeRoot, id)
	if err != nil {
		return nil, err
	}
	return b.Pids()
}
