package spec

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/profiles/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// security is what --security-opt and --privileged say.
type security struct {
	noNewPrivileges bool
	unmasked        bool   // systempaths=unconfined
	cgroups         bool   // writable-cgroups, which --privileged implies
	seccomp         string // "": the default profile; "unconfined"; or a profile's JSON
	apparmor        string
	selinux         string
}

// parseSecurity takes docker's options, name=value or, in old clients, name:value.
func parseSecurity(hc *container.HostConfig) (security, error) {
	var s security
	// --security-opt can take back what --privileged gives, so that comes first.
	if hc.Privileged {
		s.seccomp, s.unmasked, s.cgroups = "unconfined", true, true
	}
	for _, opt := range hc.SecurityOpt {
		name, value, ok := strings.Cut(opt, "=")
		if !ok {
			name, value, ok = strings.Cut(opt, ":")
		}
		// These two may stand alone.
		if !ok && (name == "no-new-privileges" || name == "writable-cgroups") {
			value, ok = "true", true
		}
		bad := fmt.Errorf("invalid --security-opt 2: %q: %w", opt, errdefs.ErrInvalidArgument)
		if !ok {
			return s, fmt.Errorf("invalid --security-opt 1: %q: %w", opt, errdefs.ErrInvalidArgument)
		}
		switch name {
		case "no-new-privileges":
			on, err := strconv.ParseBool(value)
			if err != nil {
				return s, bad
			}
			s.noNewPrivileges = on
		case "seccomp":
			s.seccomp = value
			if value == "builtin" {
				s.seccomp = ""
			}
		case "writable-cgroups":
			if value != "true" && value != "false" {
				return s, bad
			}
			s.cgroups = value == "true"
		case "systempaths":
			if value != "unconfined" {
				return s, bad
			}
			s.unmasked = true
		case "apparmor":
			if value != "unconfined" {
				s.apparmor = value
			}
		case "label":
			// Without SELinux labels say nothing; docker takes and drops them too.
		default:
			return s, bad
		}
	}
	return s, nil
}

// profile compiles the seccomp profile for the capabilities of s.
func (sec security) profile(s *specs.Spec) (*specs.LinuxSeccomp, error) {
	switch sec.seccomp {
	case "unconfined":
		return nil, nil
	case "":
		p, err := seccomp.GetDefaultProfile(s)
		if err != nil {
			return nil, fmt.Errorf("make default seccomp profile: %w", err)
		}
		return p, nil
	}
	// The CLI has read the file: the option carries the profile itself.
	p, err := seccomp.LoadProfile(sec.seccomp, s)
	if err != nil {
		return nil, fmt.Errorf("seccomp profile: %w: %w", err, errdefs.ErrInvalidArgument)
	}
	return p, nil
}

// Complete checks the security options of hc, and fills in which paths they hide and protect, as inspect shows it.
func Complete(hc *container.HostConfig) error {
	sec, err := parseSecurity(hc)
	if err != nil || hc.Privileged {
		return err
	}
	for _, list := range []struct {
		paths    *[]string
		defaults func() []string
	}{{&hc.MaskedPaths, maskedPaths}, {&hc.ReadonlyPaths, readonlyPaths}} {
		switch {
		case *list.paths != nil:
		case sec.unmasked:
			*list.paths = []string{}
		default:
			*list.paths = list.defaults()
		}
	}
	return nil
}

// maskedPaths are docker's: what tells about the host or other containers.
func maskedPaths() []string {
	return append([]string{
		"/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
		"/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi",
		"/sys/firmware", "/sys/devices/virtual/powercap",
	}, throttling()...)
}

// throttling are the counts of how often each processor was slowed down, which
// tell what others compute. Virtual machines have none.
var throttling = sync.OnceValue(func() []string {
	found, err := filepath.Glob("/sys/devices/system/cpu/cpu*/thermal_throttle")
	if err != nil {
		return nil // the pattern is good
	}
	return found
})

// readonlyPaths are docker's: what would change the host's kernel.
func readonlyPaths() []string {
	return []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
}
