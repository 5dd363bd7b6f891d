package container

import "github.com/opencontainers/runtime-spec/specs-go"

// defaults is what an exec gets of the container's process for what its own does
// not say, as with runc. Above all it is confined by the same security modules.
type defaults struct {
	Capabilities    *specs.LinuxCapabilities `json:"capabilities,omitempty"`
	Rlimits         []specs.POSIXRlimit      `json:"rlimits,omitempty"`
	ApparmorProfile string                   `json:"apparmorProfile,omitempty"`
	SelinuxLabel    string                   `json:"selinuxLabel,omitempty"`
	OOMScoreAdj     *int                     `json:"oomScoreAdj,omitempty"`
	Scheduler       *specs.Scheduler         `json:"scheduler,omitempty"`
	IOPriority      *specs.LinuxIOPriority   `json:"ioPriority,omitempty"`
	ExecCPUAffinity *specs.CPUAffinity       `json:"execCPUAffinity,omitempty"`
	Umask           *uint32                  `json:"umask,omitempty"`
}

func defaultsOf(p *specs.Process) defaults {
	return defaults{p.Capabilities, p.Rlimits, p.ApparmorProfile, p.SelinuxLabel, p.OOMScoreAdj, p.Scheduler, p.IOPriority, p.ExecCPUAffinity, p.User.Umask}
}

// fill completes the process of an exec.
func (d *defaults) fill(p *specs.Process) {
	orElse(&p.Capabilities, d.Capabilities)
	orElse(&p.OOMScoreAdj, d.OOMScoreAdj)
	orElse(&p.Scheduler, d.Scheduler)
	orElse(&p.IOPriority, d.IOPriority)
	orElse(&p.ExecCPUAffinity, d.ExecCPUAffinity)
	orElse(&p.User.Umask, d.Umask)
	if len(p.Rlimits) == 0 {
		p.Rlimits = d.Rlimits
	}
	if p.ApparmorProfile == "" {
		p.ApparmorProfile = d.ApparmorProfile
	}
	if p.SelinuxLabel == "" {
		p.SelinuxLabel = d.SelinuxLabel
	}
}

func orElse[T any](p **T, other *T) {
	if *p == nil {
		*p = other
	}
}
