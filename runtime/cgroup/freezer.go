package cgroup

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"berth/runtime/plainfile"
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

// Frozen tells whether the processes are frozen.
func (m *Manager) Frozen() bool {
	if m.Unified {
		b, err := plainfile.Read(path.Join(m.Paths[""], "cgroup.events"))
		return err == nil && strings.Contains(string(b), "frozen 1")
	}
	b, err := plainfile.Read(path.Join(m.Paths["freezer"], "freezer.state"))
	return err == nil && strings.TrimSpace(string(b)) == "FROZEN"
}
