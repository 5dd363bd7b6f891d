package build

import (
	"encoding/json"
	"strings"

	"github.com/moby/moby/api/types/container"
)

// Place is where the steps of a build run and what they may use there. BuildKit
// passes only the name of a cgroup on to them; the rest travels with it.
type Place struct {
	CgroupParent string `json:",omitempty"`
	Network      string `json:",omitempty"` // a user-defined network; "" is the default one
	Memory       int64  `json:",omitempty"` // bytes
	MemorySwap   int64  `json:",omitempty"` // bytes, with memory; -1 is no limit
	CPUShares    int64  `json:",omitempty"`
	CPUPeriod    int64  `json:",omitempty"` // microseconds
	CPUQuota     int64  `json:",omitempty"` // microseconds
	CPUSetCPUs   string `json:",omitempty"`
	CPUSetMems   string `json:",omitempty"`
}

// placeMark begins the name of a cgroup that is a Place.
const placeMark = "place:"

// Encode writes the place as BuildKit's attribute "cgroup-parent", "" for the default.
func (p Place) Encode() string {
	if p == (Place{CgroupParent: p.CgroupParent}) {
		return p.CgroupParent
	}
	b, err := json.Marshal(p)
	if err != nil {
		panic(err) // strings and numbers are JSON
	}
	return placeMark + string(b)
}

// decodePlace reads what Encode wrote, or the name of a cgroup.
func decodePlace(name string) (p Place, err error) {
	text, ok := strings.CutPrefix(name, placeMark)
	if !ok {
		return Place{CgroupParent: name}, nil
	}
	return p, json.Unmarshal([]byte(text), &p)
}

// limit gives a container the limits of the place.
func (p Place) limit(hc *container.HostConfig) {
	hc.CgroupParent, hc.Memory, hc.MemorySwap = p.CgroupParent, p.Memory, p.MemorySwap
	hc.CPUShares, hc.CPUPeriod, hc.CPUQuota = p.CPUShares, p.CPUPeriod, p.CPUQuota
	hc.CpusetCpus, hc.CpusetMems = p.CPUSetCPUs, p.CPUSetMems
}
