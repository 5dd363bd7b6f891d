package cgroup

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"berth/runtime/plainfile"
	"golang.org/x/sys/unix"
)

// freezeWait bounds the wait for all processes to stop. One in an
// uninterruptible wait, for a dead disk say, does not.
const freezeWait = 10 * time.Second

// Freeze stops all processes, or lets them go on.
func (m *Manager) Freeze(frozen bool) error {
	file, value := path.Join(m.Paths["freezer"], "freezer.state"), "THAWED"
	if frozen {
		value = "FROZEN"
	}
	if m.Unified {
		file, value = path.Join(m.Paths[""], "cgroup.freeze"), "0"
		if frozen {
			value = "1"
		}
	} else if m.Paths["freezer"] == "" {
		return errors.New("freeze the container: the freezer cgroup is not mounted")
	}
	for deadline := time.Now().Add(freezeWait); ; {
		if err := writeFile(file, value); err != nil {
			return fmt.Errorf("write %s to the freezer: %w", value, err)
		}
		if m.Frozen() == frozen {
			return nil
		}
		if time.Now().After(deadline) {
			if frozen {
				_ = m.Freeze(false)
			}
			return fmt.Errorf("write %s to the freezer: the processes do not follow", value)
		}
		// v1 needs to be told again when processes were born meanwhile.
		time.Sleep(200 * time.Microsecond)
	}
}

// Thaw lets all processes go on, also those in cgroups below that the container,
// if it may write its cgroups, has frozen itself: under v1 a killed process dies only
// then.
func (m *Manager) Thaw() error {
	if m.Unified {
		if !m.Frozen() {
			return nil
		}
		return m.Freeze(false)
	}
	if m.Paths["freezer"] == "" {
		return nil
	}
	return thaw(m.Paths["freezer"])
}

func thaw(dir string) error {
	name := path.Join(dir, "freezer.state")
	b, err := plainfile.Read(name)
	if err == nil && strings.TrimSpace(string(b)) != "THAWED" {
		err = writeFile(name, "THAWED")
	}
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ENODEV) {
		return nil // removed meanwhile
	}
	if err != nil {
		return fmt.Errorf("thaw the cgroup: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("thaw the cgroup: %w", err)
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := thaw(path.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// Frozen tells whether the processes are frozen.
func (m *Manager) Frozen() bool {
	if m.Unified {
		b, err := plainfile.Read(path.Join(m.Paths[""], "cgroup.events"))
		return err == nil && strings.Contains(string(b), "frozen 1")
	}
	b, err := plainfile.Read(path.Join(m.Paths["freezer"], "freezer.state"))
	return err == nil && strings.TrimSpace(string(b)) == "FROZEN"
}
