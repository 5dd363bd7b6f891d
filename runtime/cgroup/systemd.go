package cgroup

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"berth/runtime/systemd"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// unit is the unit that systemd makes for a container. Its cgroups are the
// container's, and are limited by us as all others are, which delegation allows;
// systemd is told the limits too, or it would undo them when it is reloaded.
type unit struct {
	place      systemd.Place
	properties []systemd.Property // of the annotations
	holder     *holder
}

// propertyPrefix begins the annotations that are properties of the unit.
const propertyPrefix = "org.systemd.property."

// NewSystemd is New where systemd makes the cgroups: cgroupsPath is
// SLICE:PREFIX:NAME. Annotations may give further properties of the unit.
func NewSystemd(cgroupsPath, id string, resources *specs.LinuxResources, annotations map[string]string) (*Manager, error) {
	place, err := systemd.Parse(cgroupsPath, id, os.Geteuid() == 0)
	if err != nil {
		return nil, err
	}
	u := &unit{place: place}
	for key, value := range annotations {
		name, ok := strings.CutPrefix(key, propertyPrefix)
		if !ok {
			continue
		}
		v, err := propertyValue(value)
		if err != nil || name == "" {
			return nil, fmt.Errorf("annotations.%s: %q is not 'text', true, false or uint64 NUMBER: %w", key, value, errdefs.ErrInvalidArgument)
		}
		u.properties = append(u.properties, systemd.Property{Name: name, Value: v})
	}
	inner, err := place.Path()
	if err != nil {
		return nil, err
	}
	bus, err := systemd.Connect() // before anything is made
	if err != nil {
		return nil, err
	}
	defer bus.Close()
	if os.Geteuid() != 0 {
		base, err := bus.ControlGroup()
		if err != nil {
			return nil, err
		}
		inner = base + inner
	}
	m, err := New(inner, id, resources)
	if err == nil {
		m.unit = u
	}
	return m, err
}

// Unit is the name of systemd's unit, "" without one. It has to be saved.
func (m *Manager) Unit() string {
	if m.unit == nil {
		return ""
	}
	return m.unit.place.Unit
}

// OfUnit says of which unit of systemd's the cgroups are, "" being none.
func (m *Manager) OfUnit(name string) {
	if name != "" {
		m.unit = &unit{place: systemd.Place{Unit: name}}
	}
}

// start has systemd make the unit. A scope has to have a process, which is one
// that only waits, until Settled.
func (u *unit) start(m *Manager) error {
	bus, err := systemd.Connect()
	if err != nil {
		return err
	}
	defer bus.Close()
	properties := []systemd.Property{{Name: "Description", Value: "container " + u.place.Unit}, {Name: "DefaultDependencies", Value: false},
		{Name: "MemoryAccounting", Value: true}, {Name: "CPUAccounting", Value: true}, {Name: "TasksAccounting", Value: true}}
	io := "BlockIOAccounting"
	if m.Unified {
		io = "IOAccounting"
	}
	properties = append(properties, systemd.Property{Name: io, Value: true})
	if strings.HasSuffix(u.place.Unit, ".scope") {
		if u.holder, err = hold(); err != nil {
			return fmt.Errorf("systemd cgroup driver: %w", err)
		}
		properties = append(properties, systemd.Property{Name: "Slice", Value: u.place.Slice}, systemd.Property{Name: "Delegate", Value: true},
			systemd.Property{Name: "PIDs", Value: []uint32{uint32(u.holder.process.Pid)}})
	}
	properties = append(properties, deviceProperties(deviceRules(m.resources))...)
	properties = append(properties, limitProperties(m.resources, m.Unified, unset)...)
	return bus.Start(u.place, append(properties, u.properties...))
}

// set tells systemd about changed limits.
func (u *unit) set(m *Manager, r *specs.LinuxResources) error {
	properties := limitProperties(r, m.Unified, m.value)
	if len(properties) == 0 {
		return nil
	}
	bus, err := systemd.Connect()
	if err != nil {
		return err
	}
	defer bus.Close()
	return bus.Set(u.place.Unit, properties)
}

func (u *unit) stop() error {
	u.settled()
	bus, err := systemd.Connect()
	if err != nil {
		return err
	}
	defer bus.Close()
	return bus.Stop(u.place.Unit)
}

// Settled says that the cgroups have a process of the container's.
func (m *Manager) Settled() {
	if m.unit != nil {
		m.unit.settled()
	}
}

func (u *unit) settled() {
	if u.holder != nil {
		u.holder.close()
		u.holder = nil
	}
}

// holder is a process that does nothing but be in a cgroup.
type holder struct {
	process *os.Process
	pipe    *os.File // it ends when this is closed, so also when we die
}

// HoldCommand is the argument with which the runtime's binary is a holder.
const HoldCommand = "hold"

func hold() (*holder, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	p, err := os.StartProcess("/proc/self/exe", []string{"berth-runtime", HoldCommand}, &os.ProcAttr{Files: []*os.File{r, nil, nil}})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start a process for the scope: %w", err), w.Close())
	}
	return &holder{p, w}, nil
}

func (h *holder) close() {
	h.pipe.Close()
	_ = h.process.Kill()
	_, _ = h.process.Wait()
}
