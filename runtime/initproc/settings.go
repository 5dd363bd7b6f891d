package initproc

import (
	"fmt"
	"slices"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Settings are those fields of the spec's linux section that init gives to
// itself and that every later process of the container gets as well.
type Settings struct {
	Personality  *specs.LinuxPersonality  `json:"personality,omitempty"`
	MemoryPolicy *specs.LinuxMemoryPolicy `json:"memoryPolicy,omitempty"`
}

// personalities are PER_* of linux/personality.h.
var personalities = map[specs.LinuxPersonalityDomain]int{specs.PerLinux: 0, specs.PerLinux32: 8}

var memoryModes = map[specs.MemoryPolicyModeType]int{
	specs.MpolDefault: unix.MPOL_DEFAULT, specs.MpolPreferred: unix.MPOL_PREFERRED, specs.MpolBind: unix.MPOL_BIND,
	specs.MpolInterleave: unix.MPOL_INTERLEAVE, specs.MpolLocal: unix.MPOL_LOCAL,
	specs.MpolPreferredMany: unix.MPOL_PREFERRED_MANY, specs.MpolWeightedInterleave: unix.MPOL_WEIGHTED_INTERLEAVE,
}

var memoryFlags = map[specs.MemoryPolicyFlagType]int{
	specs.MpolFStaticNodes: unix.MPOL_F_STATIC_NODES, specs.MpolFRelativeNodes: unix.MPOL_F_RELATIVE_NODES,
	specs.MpolFNumaBalancing: unix.MPOL_F_NUMA_BALANCING,
}

// Check refuses settings that no kernel could honour.
func (s Settings) Check() error {
	if p := s.Personality; p != nil {
		if _, ok := personalities[p.Domain]; !ok {
			return fmt.Errorf("linux.personality.domain: unknown domain %q, want LINUX or LINUX32: %w", p.Domain, errdefs.ErrInvalidArgument)
		}
		if len(p.Flags) > 0 {
			return fmt.Errorf("linux.personality.flags: unknown flag %q; the specification defines none: %w", p.Flags[0], errdefs.ErrInvalidArgument)
		}
	}
	if m := s.MemoryPolicy; m != nil {
		if err := checkMemoryPolicy(m); err != nil {
			return fmt.Errorf("linux.memoryPolicy.%w: %w", err, errdefs.ErrInvalidArgument)
		}
	}
	return nil
}

func checkMemoryPolicy(m *specs.LinuxMemoryPolicy) error {
	if _, ok := memoryModes[m.Mode]; !ok {
		return fmt.Errorf("mode: unknown mode %q", m.Mode)
	}
	for _, f := range m.Flags {
		if memoryFlags[f] == 0 {
			return fmt.Errorf("flags: unknown flag %q", f)
		}
	}
	if _, err := mask(m.Nodes, maxNodes); err != nil {
		return fmt.Errorf("nodes: %q is no list of numbers and ranges below %d, such as 0-3,7", m.Nodes, maxNodes)
	}
	has := func(f specs.MemoryPolicyFlagType) bool { return slices.Contains(m.Flags, f) }
	// set_mempolicy(2), "ERRORS"
	switch nodeless := m.Mode == specs.MpolDefault || m.Mode == specs.MpolLocal; {
	case nodeless && m.Nodes != "":
		return fmt.Errorf("nodes: mode %s takes none", m.Mode)
	case !nodeless && m.Nodes == "" && m.Mode != specs.MpolPreferred:
		return fmt.Errorf("nodes: mode %s needs some", m.Mode)
	case has(specs.MpolFStaticNodes) && has(specs.MpolFRelativeNodes):
		return fmt.Errorf("flags: %s and %s exclude each other", specs.MpolFStaticNodes, specs.MpolFRelativeNodes)
	case has(specs.MpolFNumaBalancing) && m.Mode != specs.MpolBind && m.Mode != specs.MpolPreferredMany:
		return fmt.Errorf("flags: %s is not for mode %s", specs.MpolFNumaBalancing, m.Mode)
	}
	return nil
}

// settings makes init what Settings say; they were checked.
func (p *Program) settings(s Settings) {
	if s.Personality != nil {
		p.Call("linux.personality: set it to "+string(s.Personality.Domain), unix.SYS_PERSONALITY, personalities[s.Personality.Domain])
	}
	if m := s.MemoryPolicy; m != nil {
		mode := memoryModes[m.Mode]
		for _, f := range m.Flags {
			mode |= memoryFlags[f]
		}
		var nodes, bits uintptr
		if list, _ := mask(m.Nodes, maxNodes); list != nil {
			// The kernel takes one off the number of bits.
			nodes, bits = p.Words(list...), maxNodes+1
		}
		p.Call(fmt.Sprintf("linux.memoryPolicy: set it to %s on nodes %q", m.Mode, m.Nodes), unix.SYS_SET_MEMPOLICY, mode, nodes, bits)
	}
}
