package cgroup

import (
	"fmt"
	"os"
	"path"
	"strconv"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// rule allows or denies access to devices. Negative numbers mean all.
type rule struct {
	allow        bool
	kind         byte // 'a', 'b', 'c'
	major, minor int64
	access       string // of "rwm"
}

// always are allowed in every container: making nodes, which gives no access,
// and the default devices with the terminals.
var always = []rule{
	{true, 'c', -1, -1, "m"},
	{true, 'b', -1, -1, "m"},
	{true, 'c', 1, 3, "rwm"},
	{true, 'c', 1, 5, "rwm"},
	{true, 'c', 1, 7, "rwm"},
	{true, 'c', 1, 8, "rwm"},
	{true, 'c', 1, 9, "rwm"},
	{true, 'c', 5, 0, "rwm"},
	{true, 'c', 5, 2, "rwm"},
	{true, 'c', 136, -1, "rwm"},
}

// deviceRules are the rules of a spec, in order: later ones win. What no rule
// allows is denied.
func deviceRules(r *specs.LinuxResources) []rule {
	rules := []rule{{false, 'a', -1, -1, "rwm"}}
	if r != nil {
		for _, d := range r.Devices {
			kind := byte('a')
			if d.Type != "" {
				kind = d.Type[0]
			}
			if kind == 'u' {
				kind = 'c'
			}
			rules = append(rules, rule{d.Allow, kind, number(d.Major), number(d.Minor), d.Access})
		}
	}
	return append(rules, always...)
}

// checkDevices refuses rules that cannot be meant.
func checkDevices(r *specs.LinuxResources) error {
	for i, d := range r.Devices {
		switch d.Type {
		case "", "a", "b", "c", "u":
		default:
			return fmt.Errorf("linux.resources.devices[%d]: unknown type %q: %w", i, d.Type, errdefs.ErrInvalidArgument)
		}
		if d.Access == "" {
			return fmt.Errorf("linux.resources.devices[%d]: access is empty: %w", i, errdefs.ErrInvalidArgument)
		}
		for _, c := range d.Access {
			if c != 'r' && c != 'w' && c != 'm' {
				return fmt.Errorf("linux.resources.devices[%d]: access %q is not of r, w, m: %w", i, d.Access, errdefs.ErrInvalidArgument)
			}
		}
	}
	return nil
}

func number(n *int64) int64 {
	if n == nil {
		return -1
	}
	return *n
}

func (r rule) String() string {
	if r.kind == 'a' {
		return "a"
	}
	star := func(n int64) string {
		if n < 0 {
			return "*"
		}
		return strconv.FormatInt(n, 10)
	}
	return string(r.kind) + " " + star(r.major) + ":" + star(r.minor) + " " + r.access
}

// writeDeviceRules sets the rules of a v1 devices cgroup.
func writeDeviceRules(dir string, rules []rule) error {
	files := map[bool]*os.File{}
	for allow, name := range map[bool]string{true: "devices.allow", false: "devices.deny"} {
		f, err := openFile(path.Join(dir, name))
		if err != nil {
			return fmt.Errorf("linux.resources.devices: %w", err)
		}
		defer f.Close()
		files[allow] = f
	}
	for _, r := range rules {
		if _, err := files[r.allow].WriteString(r.String()); err != nil {
			return fmt.Errorf("linux.resources.devices: set %q: %w", r, err)
		}
	}
	return nil
}
