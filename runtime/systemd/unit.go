// Package systemd has systemd make, change and remove the units in whose cgroups
// containers live, where it is the one that owns the cgroup tree (runc's
// --systemd-cgroup).
//
// It speaks D-Bus itself, as little of it as that takes: the libraries for it
// import package net, which would make the runtime start after all the engine's
// packages instead of before them (package early).
package systemd

import (
	"fmt"
	"strings"

	"github.com/containerd/errdefs"
)

// Place is where a container is in systemd's tree.
type Place struct {
	Slice string // the unit above it, "-.slice" being the root
	Unit  string // its own, a scope or a slice
}

// Parse reads linux.cgroupsPath in its form for systemd, SLICE:PREFIX:NAME.
// Without one it is a scope of the ID in the default slice.
func Parse(cgroupsPath, id string, root bool) (Place, error) {
	slice := "system.slice"
	if !root {
		slice = "user.slice"
	}
	prefix, name := "berth", id
	if cgroupsPath != "" {
		parts := strings.Split(cgroupsPath, ":")
		if len(parts) != 3 {
			return Place{}, fmt.Errorf("linux.cgroupsPath: expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got %q instead: %w",
				cgroupsPath, errdefs.ErrInvalidArgument)
		}
		if parts[0] != "" {
			slice = parts[0]
		}
		prefix, name = parts[1], parts[2]
	}
	p := Place{Slice: slice, Unit: name}
	if !strings.HasSuffix(name, ".slice") {
		if p.Unit += ".scope"; prefix != "" {
			p.Unit = prefix + "-" + p.Unit
		}
	}
	if name == "" || strings.ContainsAny(p.Unit, "/\x00") {
		return p, fmt.Errorf("linux.cgroupsPath: %q gives no name of a unit: %w", cgroupsPath, errdefs.ErrInvalidArgument)
	}
	_, err := p.Path()
	return p, err
}

// Path is the unit's cgroup below the manager's: a slice a-b.slice is in a.slice
// (systemd.slice(5)).
func (p Place) Path() (string, error) {
	inner := strings.TrimSuffix(p.Slice, ".slice")
	if inner == p.Slice || inner == "" || strings.ContainsAny(inner, "/\x00") {
		return "", fmt.Errorf("linux.cgroupsPath: invalid slice name: %s: %w", p.Slice, errdefs.ErrInvalidArgument)
	}
	path := "/"
	if inner != "-" {
		for i, part := range strings.Split(inner, "-") {
			if part == "" {
				return "", fmt.Errorf("linux.cgroupsPath: invalid slice name: %s: %w", p.Slice, errdefs.ErrInvalidArgument)
			}
			path += strings.Join(strings.Split(inner, "-")[:i+1], "-") + ".slice/"
		}
	}
	return path + p.Unit, nil
}

// ControlGroup is the cgroup of the manager itself, under which its units are:
// "" for the system's.
func (b *Bus) ControlGroup() (string, error) {
	m, err := b.call(service, object, "org.freedesktop.DBus.Properties", "Get", "ss", manager, "ControlGroup")
	if err != nil {
		return "", fmt.Errorf("ask systemd for its cgroup: %w", err)
	}
	texts, err := m.texts()
	if err != nil || len(texts) != 1 {
		return "", fmt.Errorf("ask systemd for its cgroup: what came is no path: %w", err)
	}
	return strings.TrimSuffix(texts[0], "/"), nil
}

// Start makes a unit with properties. It is there when this returns.
func (b *Bus) Start(p Place, properties []Property) error {
	// systemd tells about jobs only those who ask for it.
	if _, err := b.call(busName, busObject, busName, "AddMatch", "s",
		"type='signal',sender='"+service+"',interface='"+manager+"',member='JobRemoved'"); err != nil {
		return fmt.Errorf("start unit %s: %w", p.Unit, err)
	}
	if _, err := b.call(service, object, manager, "Subscribe", ""); err != nil && !is(err, service+".AlreadySubscribed") {
		return fmt.Errorf("start unit %s: %w", p.Unit, err)
	}
	start := func() error {
		return b.job("StartTransientUnit", "ssa(sv)a(sa(sv))", p.Unit, "replace", properties)
	}
	err := start()
	if is(err, service+".UnitExists") {
		// One that failed is kept until somebody has taken notice.
		if rerr := b.reset(p.Unit); rerr == nil {
			err = start()
		}
	}
	if is(err, service+".UnitExists") {
		return fmt.Errorf("start unit %s: %w: %w", p.Unit, err, errdefs.ErrAlreadyExists)
	}
	if err != nil {
		return fmt.Errorf("start unit %s: %w", p.Unit, err)
	}
	return nil
}

// job calls a method that begins a job, and waits for the job's end.
func (b *Bus) job(method, signature string, args ...any) error {
	m, err := b.call(service, object, manager, method, signature, args...)
	if err != nil {
		return err
	}
	job, err := m.texts()
	if err != nil || len(job) != 1 {
		return fmt.Errorf("%s: the answer names no job: %w", method, err)
	}
	for {
		s, err := b.next()
		if err != nil {
			return fmt.Errorf("%s: wait for the job: %w", method, err)
		}
		if s.member != "JobRemoved" {
			continue
		}
		// The job's number and path, its unit, and how it ended.
		end, err := s.texts()
		if err != nil || len(end) != 3 || end[0] != job[0] {
			continue
		}
		if end[2] != "done" {
			return fmt.Errorf("%s: the job ended with %q", method, end[2])
		}
		return nil
	}
}

func (b *Bus) reset(unit string) error {
	_, err := b.call(service, object, manager, "ResetFailedUnit", "s", unit)
	return err
}

// Set changes properties of a unit until it ends.
func (b *Bus) Set(unit string, properties []Property) error {
	if _, err := b.call(service, object, manager, "SetUnitProperties", "sba(sv)", unit, true, properties); err != nil {
		return fmt.Errorf("change unit %s: %w", unit, err)
	}
	return nil
}

// Stop removes a unit. That it is gone already is no error.
func (b *Bus) Stop(unit string) error {
	_, err := b.call(service, object, manager, "StopUnit", "ss", unit, "replace")
	if err != nil && !is(err, service+".NoSuchUnit") {
		return fmt.Errorf("stop unit %s: %w", unit, err)
	}
	if err := b.reset(unit); err != nil && !is(err, service+".NoSuchUnit") {
		return fmt.Errorf("stop unit %s: %w", unit, err)
	}
	return nil
}
