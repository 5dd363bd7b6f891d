package build

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
)

// Place is where the steps of a build run and what they may use there. BuildKit
// passes only the name of a cgroup on to them; the rest travels with it.
type Place struct {
	CgroupParent string `json:",omitempty"`
	Network      string `json:",omitempty"` // a user-defined network, or container:ID; "" is the default one
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

// places are those that clients have asked for in the solves under way. A step comes
// from a frontend, and which that is a Dockerfile may say: what the frontend makes up
// itself must not get at networks that the client did not name.
type places struct {
	mu    sync.Mutex
	asked map[string]int
}

// ask takes note of an encoded place until done is called.
func (p *places) ask(name string) (done func()) {
	add := func(n int) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.asked == nil {
			p.asked = map[string]int{}
		}
		if p.asked[name] += n; p.asked[name] == 0 {
			delete(p.asked, name)
		}
	}
	add(1)
	return func() { add(-1) }
}

// check refuses a place that nobody has asked for.
func (p *places) check(name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if strings.HasPrefix(name, placeMark) && p.asked[name] == 0 {
		return fmt.Errorf("a step is to run where the client of its build has not asked for: %w", errdefs.ErrPermissionDenied)
	}
	return nil
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
