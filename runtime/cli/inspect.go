package cli

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"berth/runtime/container"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// containerState is what state and list print, in runc's words and order.
type containerState struct {
	Version     string               `json:"ociVersion"`
	ID          string               `json:"id"`
	PID         int                  `json:"pid"`
	Status      specs.ContainerState `json:"status"`
	Bundle      string               `json:"bundle"`
	Rootfs      string               `json:"rootfs"`
	Created     time.Time            `json:"created"`
	Annotations map[string]string    `json:"annotations,omitempty"`
	Owner       string               `json:"owner"`
}

func describe(c *container.Container) (containerState, error) {
	s, err := c.State()
	return containerState{Version: s.Version, ID: s.ID, PID: s.Pid, Status: s.Status, Bundle: s.Bundle,
		Rootfs: c.Rootfs(), Created: c.Created(), Annotations: s.Annotations}, err
}

func (a *app) state(f values) (int, error) {
	c, err := a.load(f)
	if err != nil {
		return 1, err
	}
	s, err := describe(c)
	if err != nil {
		return 1, err
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return 1, err
	}
	_, err = a.stdout.Write(append(b, '\n'))
	return 0, err
}

func (a *app) list(f values) (int, error) {
	all, err := container.List(a.root)
	if err != nil {
		return 1, err
	}
	states := make([]containerState, 0, len(all))
	for _, c := range all {
		s, err := describe(c)
		if err != nil {
			return 1, err
		}
		s.Owner = "#" + strconv.Itoa(c.Owner())
		if u, err := user.LookupId(strconv.Itoa(c.Owner())); err == nil {
			s.Owner = u.Username
		}
		states = append(states, s)
	}
	switch format := f.get("format"); {
	case f.has("quiet"):
		for _, s := range states {
			fmt.Fprintln(a.stdout, s.ID)
		}
	case format == "json":
		return 0, json.NewEncoder(a.stdout).Encode(states)
	case format == "" || format == "table":
		w := tabwriter.NewWriter(a.stdout, 12, 1, 3, ' ', 0)
		fmt.Fprint(w, "ID\tPID\tSTATUS\tBUNDLE\tCREATED\tOWNER\n")
		for _, s := range states {
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\n", s.ID, s.PID, s.Status, s.Bundle, s.Created.Format(time.RFC3339Nano), s.Owner)
		}
		return 0, w.Flush()
	default:
		return 1, fmt.Errorf("invalid format option %q", format)
	}
	return 0, nil
}

// ps prints what ps(1) says of the container's processes.
func (a *app) ps(f values) (int, error) {
	c, err := a.load(f)
	if err != nil {
		return 1, err
	}
	pids, err := c.Pids()
	if err != nil {
		return 1, err
	}
	switch f.get("format") {
	case "", "table":
	case "json":
		if pids == nil {
			pids = []int{}
		}
		return 0, json.NewEncoder(a.stdout).Encode(pids)
	default:
		return 1, fmt.Errorf("invalid format option %q", f.get("format"))
	}
	args := f.args[1:]
	if len(args) == 0 {
		args = []string{"-ef"}
	}
	out, err := exec.Command("ps", args...).CombinedOutput()
	if err != nil {
		return 1, fmt.Errorf("ps: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return 0, a.printProcesses(string(out), pids)
}

func (a *app) printProcesses(table string, pids []int) error {
	column := -1
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if column < 0 {
			if column = slices.Index(fields, "PID"); column < 0 {
				return fmt.Errorf("ps: no column PID in its output")
			}
		} else {
			if column >= len(fields) {
				continue
			}
			pid, err := strconv.Atoi(fields[column])
			if err != nil || !slices.Contains(pids, pid) {
				continue
			}
		}
		if _, err := fmt.Fprint(a.stdout, line); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) pause(f values) (int, error) {
	c, err := a.load(f)
	if err != nil {
		return 1, err
	}
	return 0, c.Pause()
}

func (a *app) resume(f values) (int, error) {
	c, err := a.load(f)
	if err != nil {
		return 1, err
	}
	return 0, c.Resume()
}

func (a *app) kill(f values) (int, error) {
	name := "SIGTERM"
	if len(f.args) > 1 {
		name = f.args[1]
	}
	sig, err := parseSignal(name)
	if err != nil {
		return 1, err
	}
	c, err := a.load(f)
	if err != nil {
		return 1, err
	}
	return 0, c.Kill(sig, f.has("all"))
}

func parseSignal(name string) (unix.Signal, error) {
	if n, err := strconv.Atoi(name); err == nil {
		if n < 1 || n > 64 {
			return 0, fmt.Errorf("invalid signal %d", n)
		}
		return unix.Signal(n), nil
	}
	s := strings.ToUpper(name)
	if !strings.HasPrefix(s, "SIG") {
		s = "SIG" + s
	}
	if sig := unix.SignalNum(s); sig != 0 {
		return sig, nil
	}
	return 0, fmt.Errorf("unknown signal %q", name)
}

func (a *app) delete(f values) (int, error) {
	c, err := a.load(f)
	if err != nil {
		if f.has("force") && errdefs.IsNotFound(err) {
			return 0, nil // gone is what was wanted
		}
		return 1, err
	}
	return 0, c.Delete(f.has("force"))
}
