package container

import (
	"berth/runtime/resctrl"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// resctrlRoot finds the resctrl file system; a test has a directory stand for it.
var resctrlRoot = resctrl.Root

// classOf plans the class of linux.intelRdt.
func classOf(id string, rdt *specs.LinuxIntelRdt) (*resctrl.Group, error) {
	root, err := resctrlRoot()
	if err != nil {
		return nil, err
	}
	return resctrl.New(root, id, rdt)
}
