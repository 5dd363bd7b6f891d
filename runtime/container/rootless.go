package container

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"berth/runtime/caps"
	"berth/runtime/cgroup"
	"berth/runtime/plainfile"
	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

// errNoCgroup is why a container cannot be frozen.
var errNoCgroup = fmt.Errorf("it has no cgroup, as the user who made it may make none: %w", errdefs.ErrFailedPrecondition)

// heldCaps gives the capabilities that init may have.
func heldCaps(userNS bool) func() (uint64, error) {
	if userNS {
		return caps.All
	}
	return caps.Held
}

// withoutCgroups has a rootless container go without cgroups when there is no right
// to make them and nothing was asked for that needs them.
func (b *build) withoutCgroups(err error) error {
	denied := errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EROFS)
	switch {
	case !denied || !caps.Rootless():
		return err
	case b.spec.Linux.CgroupsPath != "":
		return fmt.Errorf("linux.cgroupsPath: %w", err)
	case b.c.cg.Limits():
		return fmt.Errorf("linux.resources: limits need a cgroup, which this user may not make; leave them out, or have one delegated: %w", err)
	}
	// Those of the hierarchies in which it could be made. Others are not there.
	_ = b.c.cg.Remove()
	if b.own, err = cgroup.Own(); err != nil {
		return err
	}
	b.c.cg, b.c.rec.Cgroups, b.c.rec.Unit = nil, nil, ""
	return b.c.dir.write(&b.c.rec)
}

// family lists init and what descends from it, which is all that can be known of a
// container without a cgroup.
func (c *Container) family() ([]int, error) {
	if c.rec.PID == 0 || !c.alive() {
		return nil, nil
	}
	list := []int{c.rec.PID}
	for i := 0; i < len(list); i++ {
		tasks, err := os.ReadDir("/proc/" + strconv.Itoa(list[i]) + "/task")
		if err != nil {
			continue // it has ended
		}
		for _, t := range tasks {
			b, err := plainfile.Read("/proc/" + strconv.Itoa(list[i]) + "/task/" + t.Name() + "/children")
			if err != nil {
				continue
			}
			for _, child := range strings.Fields(string(b)) {
				if pid, err := strconv.Atoi(child); err == nil {
					list = append(list, pid)
				}
			}
		}
	}
	return list, nil
}
