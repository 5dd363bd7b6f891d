package cgroup

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"berth/runtime/plainfile"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// setting is one value to write to one file of a cgroup.
type setting struct {
	field       string // of linux.resources, for errors
	controller  string
	file, value string
	// alternative is written if file does not exist: another I/O scheduler's
	// name for the same.
	alternative *setting
	moot        bool // without the file things are as wanted anyway
}

// state reads what a cgroup is set to now; "" if that cannot be told.
type state func(controller, file string) string

// unset is the state of a cgroup that is still to be made.
func unset(string, string) string { return "" }

func (m *Manager) dir(controller string) string {
	if m.Unified {
		return m.Paths[""]
	}
	return m.Paths[controller]
}

// value is the state of the container's cgroups.
func (m *Manager) value(controller, file string) string {
	dir := m.dir(controller)
	if dir == "" {
		return ""
	}
	b, err := plainfile.Read(path.Join(dir, file))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func (m *Manager) write(s setting) error {
	dir := m.dir(s.controller)
	if dir == "" {
		return fmt.Errorf("linux.resources.%s: the %s cgroup is not mounted: %w", s.field, s.controller, errdefs.ErrFailedPrecondition)
	}
	err := writeFile(path.Join(dir, s.file), s.value)
	if errors.Is(err, os.ErrNotExist) && s.alternative != nil {
		s.file, s.value = s.alternative.file, s.alternative.value
		err = writeFile(path.Join(dir, s.file), s.value)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrNotExist) && s.moot:
		return nil
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("linux.resources.%s: this kernel has no %s: %w", s.field, s.file, errdefs.ErrNotImplemented)
	case errors.Is(err, unix.ENOTSUP), errors.Is(err, enotsupp):
		return fmt.Errorf("linux.resources.%s: this kernel does not take %s any more: %w", s.field, s.file, errdefs.ErrNotImplemented)
	case errors.Is(err, unix.EBUSY) && s.field == "memory.limit":
		return fmt.Errorf("linux.resources.memory.limit: unable to set memory limit to %s (current usage: %s, peak usage: %s): %w", s.value,
			m.value("memory", "memory.usage_in_bytes"), m.value("memory", "memory.max_usage_in_bytes"), errdefs.ErrFailedPrecondition)
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ERANGE):
		return fmt.Errorf("linux.resources.%s: set %s to %q: %w: %w", s.field, s.file, s.value, err, errdefs.ErrInvalidArgument)
	}
	return fmt.Errorf("linux.resources.%s: set %s to %q: %w", s.field, s.file, s.value, err)
}

// quotas names what is a part of each period.
var quotas = map[string]string{"cpu.period": "cpu.quota", "cpu.realtimePeriod": "cpu.realtimeRuntime"}

// enotsupp is ENOTSUPP, which the kernel means to keep to itself (linux/errno.h)
// and lets out of its memory controller.
const enotsupp = unix.Errno(524)

// Update changes the limits of a living container to what r names and leaves
// the others. If one cannot be set, those set before it are set back.
func (m *Manager) Update(r *specs.LinuxResources) error {
	list, err := settings(r, m.Unified, m.value)
	if err != nil {
		return err
	}
	if err := m.checkUsage(r.Memory); err != nil {
		return err
	}
	if m.unit != nil {
		if err := m.unit.set(m, r); err != nil {
			return err
		}
	}
	var undo []setting
	for i := 0; i < len(list); i++ {
		old := list[i]
		old.value = m.value(old.controller, old.file)
		err := m.write(list[i])
		// A period that is too short for the old quota waits for the new one.
		if err != nil && i+1 < len(list) && list[i+1].field == quotas[list[i].field] {
			list[i], list[i+1] = list[i+1], list[i]
			old = list[i]
			old.value = m.value(old.controller, old.file)
			err = m.write(list[i])
		}
		if err != nil {
			for j := len(undo) - 1; j >= 0; j-- {
				err = errors.Join(err, m.write(undo[j]))
			}
			return err
		}
		// A file of several values (one per device) says more than was written.
		if old.value != "" && !strings.Contains(old.value, "\n") && !old.moot {
			undo = append(undo, old)
		}
	}
	return nil
}

// checkUsage is memory.checkBeforeUpdate: no limit below what is used now, as v2
// would kill for it.
func (m *Manager) checkUsage(r *specs.LinuxMemory) error {
	if r == nil || r.CheckBeforeUpdate == nil || !*r.CheckBeforeUpdate || r.Limit == nil || *r.Limit <= 0 {
		return nil
	}
	file := "memory.usage_in_bytes"
	if m.Unified {
		file = "memory.current"
	}
	used, err := strconv.ParseInt(m.value("memory", file), 10, 64)
	if err != nil {
		return fmt.Errorf("linux.resources.memory.checkBeforeUpdate: read the usage: %w", err)
	}
	if *r.Limit < used {
		return fmt.Errorf("linux.resources.memory.limit: rejecting memory limit %d < usage %d: %w", *r.Limit, used, errdefs.ErrFailedPrecondition)
	}
	return nil
}

// list collects settings.
type list []setting

func (l *list) add(field, controller, file, value string) {
	*l = append(*l, setting{field: field, controller: controller, file: file, value: value})
}

type numeric interface{ ~int64 | ~uint64 | ~uint32 }

// addNumber adds a value that the spec gives.
func addNumber[T numeric](l *list, field, controller, file string, v *T) {
	if v != nil {
		l.add(field, controller, file, fmt.Sprint(*v))
	}
}

// addNonZero is addNumber for the values of which 0 leaves things as they are,
// as with the other runtimes.
func addNonZero[T numeric](l *list, field, controller, file string, v *T) {
	if v != nil && *v != 0 {
		addNumber(l, field, controller, file, v)
	}
}

// settings turns linux.resources, except devices, into what is to be written, in
// an order in which the kernel takes it in the state now.
func settings(r *specs.LinuxResources, unified bool, now state) ([]setting, error) {
	var l list
	for _, h := range r.HugepageLimits {
		if err := checkKey("hugepageLimits", h.Pagesize); err != nil {
			return nil, err
		}
	}
	version := l.v1
	if unified {
		version = l.v2
	}
	if err := version(r, now); err != nil {
		return nil, err
	}
	if r.Pids != nil && r.Pids.Limit != nil && *r.Pids.Limit != 0 {
		value := "max"
		if *r.Pids.Limit > 0 {
			value = strconv.FormatInt(*r.Pids.Limit, 10)
		}
		l.add("pids.limit", "pids", "pids.max", value)
	}
	for _, d := range slices.Sorted(maps.Keys(r.Rdma)) {
		value := d
		if n := r.Rdma[d].HcaHandles; n != nil {
			value += fmt.Sprintf(" hca_handle=%d", *n)
		}
		if n := r.Rdma[d].HcaObjects; n != nil {
			value += fmt.Sprintf(" hca_object=%d", *n)
		}
		l.add("rdma", "rdma", "rdma.max", value)
	}
	return l, nil
}

// checkKey refuses parts of file names that leave the directory.
func checkKey(field, key string) error {
	if key == "" || strings.ContainsAny(key, "/\x00") || key == "." || key == ".." {
		return fmt.Errorf("linux.resources.%s: %q is not a file name: %w", field, key, errdefs.ErrInvalidArgument)
	}
	return nil
}
