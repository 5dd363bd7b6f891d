package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
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
	all, err := container.List(a.root, func(id string, err error) { fmt.Fprintf(a.stderr, "load container %s: %v\n", id, err) })
	if err != nil {
		return 1, err
	}
	states := make([]containerState, 0, len(all))
	for _, c := range all {
		s, err := describe(c)
		if err != nil {
			return 1, err
		}
		s.Owner = userName(c.Owner())
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
		rows := [][]string{{"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"}}
		for _, s := range states {
			rows = append(rows, []string{s.ID, strconv.Itoa(s.PID), string(s.Status), s.Bundle, s.Created.Format(time.RFC3339Nano), s.Owner})
		}
		return 0, a.table(rows)
	default:
		return 1, errors.New("invalid format option")
	}
	return 0, nil
}

// table prints columns at least 12 wide and 3 apart.
func (a *app) table(rows [][]string) error {
	width := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, cell := range r {
			width[i] = max(width[i], 9, len(cell))
		}
	}
	for _, r := range rows {
		var line strings.Builder
		for i, cell := range r {
			line.WriteString(cell)
			if i < len(r)-1 {
				line.WriteString(strings.Repeat(" ", width[i]-len(cell)+3))
			}
		}
		if _, err := fmt.Fprintln(a.stdout, line.String()); err != nil {
			return err
		}
	}
	return nil
}

// userName looks a user up in /etc/passwd.
func userName(uid int) string {
	b, err := os.ReadFile("/etc/passwd")
	if err == nil {
		for line := range strings.Lines(string(b)) {
			if f := strings.SplitN(line, ":", 4); len(f) == 4 && f[2] == strconv.Itoa(uid) {
				return f[0]
			}
		}
	}
	return "#" + strconv.Itoa(uid)
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
		return 1, errors.New("invalid format option")
	}
	args := f.args[1:]
	if len(args) == 0 {
		args = []string{"-ef"}
	}
	out, err := output("ps", args...)
	if err != nil {
		return 1, err
	}
	return 0, a.printProcesses(out, pids)
}

// output runs a program found in PATH and returns what it prints. (Package
// os/exec would have the runtime start late; see package early.)
func output(name string, args ...string) (string, error) {
	var bin string
	for _, dir := range strings.Split(os.Getenv("PATH"), ":") {
		at := path.Join(dir, name)
		if unix.Access(at, unix.X_OK) == nil {
			bin = at
			break
		}
	}
	if bin == "" {
		return "", fmt.Errorf("%s: not found in $PATH", name)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer r.Close()
	p, err := os.StartProcess(bin, append([]string{name}, args...), &os.ProcAttr{Files: []*os.File{nil, w, os.Stderr}})
	w.Close()
	if err != nil {
		return "", err
	}
	out, err := io.ReadAll(r)
	state, werr := p.Wait()
	if err = errors.Join(err, werr); err == nil && !state.Success() {
		err = fmt.Errorf("%s: %s", name, state)
	}
	return string(out), err
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
	c, err := a.load(f)
	if err != nil {
		return 1, err
	}
	name := "SIGTERM"
	if len(f.args) > 1 {
		name = f.args[1]
	}
	sig, err := parseSignal(name)
	if err != nil {
		return 1, err
	}
	return 0, c.Kill(sig, f.has("all"))
}

func parseSignal(name string) (unix.Signal, error) {
	if n, err := strconv.Atoi(name); err == nil {
		if n < 0 || n > 64 {
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
