// Package external runs a container with an OCI runtime that is another program, by the
// command line that runc has: create, start, exec, kill, pause, resume, update, delete.
// The shim and the engine call it where a container does not have berth's own runtime.
//
// All that such a runtime keeps is in the shim's directory, which is the bundle too, and
// which names the runtime (File): whoever finds the directory of a killed shim can end
// its container with the right program.
//
// It imports nothing that a shim would pay for: no os/exec.
package external

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"berth/runtime/cgroup"
	"berth/runtime/plainjson"
	"berth/shim/wire"
)

// File is the name, in a shim's directory, of what says which runtime its container has.
// Without it that is berth's own.
const File = "runtime"

// stateName is where the runtime keeps its state, in the shim's directory.
const stateName = "oci"

// Container is a container of an external runtime.
type Container struct {
	dir, id string
	rt      wire.Runtime
}

// New is the container id whose shim has the directory dir.
func New(dir, id string, rt wire.Runtime) *Container { return &Container{dir, id, rt} }

// Open finds the container id in the directory of its shim; nil if no external runtime
// has it.
func Open(dir, id string) (*Container, error) {
	b, err := os.ReadFile(path.Join(dir, File))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var rt wire.Runtime
	if err == nil {
		rt, err = wire.DecodeRuntime(b)
	}
	if err != nil {
		return nil, fmt.Errorf("find the runtime of container %s: %w", id, err)
	}
	return New(dir, id, rt), nil
}

// Save notes in the shim's directory which runtime the container has.
func (c *Container) Save() error {
	if err := os.WriteFile(path.Join(c.dir, File), c.rt.Encode(), 0o600); err != nil {
		return fmt.Errorf("note the runtime of container %s: %w", c.id, err)
	}
	return nil
}

// Stdio is what a process gets. Console, a connected socket, is sent the terminal's
// master if it is to have a terminal.
type Stdio struct{ Stdin, Stdout, Stderr, Console *os.File }

// Create makes the container of the bundle, parked before its execve. The process whose
// number it returns is a child of this one from then on.
func (c *Container) Create(io Stdio) (pid int, err error) {
	return c.spawn("create", "init", io, func(flags []string) []string {
		return append(append([]string{"create", "--bundle", c.dir}, flags...), c.id)
	})
}

// Exec runs one more process, named name, and returns when it runs: a child of this
// process, as with Create.
func (c *Container) Exec(name string, p *specs.Process, io Stdio) (pid int, err error) {
	b, err := plainjson.Marshal(p)
	if err != nil {
		return 0, fmt.Errorf("encode process of exec %s: %w", name, err)
	}
	file := path.Join(c.dir, "exec-"+name+".json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		return 0, fmt.Errorf("write process of exec %s: %w", name, err)
	}
	defer os.Remove(file)
	return c.spawn("exec", "exec-"+name, io, func(flags []string) []string {
		return append(append([]string{"exec", "--detach", "--process", file}, flags...), c.id)
	})
}

// Start lets a created container's process go.
func (c *Container) Start() error { return c.control("start", "start", c.id) }

// Kill sends a signal to the container's first process, or to all of them.
func (c *Container) Kill(sig unix.Signal, all bool) error {
	args := []string{"kill"}
	if all {
		args = append(args, "--all")
	}
	return c.control("kill", append(args, c.id, strconv.Itoa(int(sig)))...)
}

// Pause freezes the container.
func (c *Container) Pause() error { return c.control("pause", "pause", c.id) }

// Resume lets a paused container go on.
func (c *Container) Resume() error { return c.control("resume", "resume", c.id) }

// Delete removes what the runtime has of the container, with force also of one that
// runs. That there is nothing is no error with force.
func (c *Container) Delete(force bool) error {
	if left, err := os.ReadDir(path.Join(c.dir, stateName)); force && len(left) == 0 && (err == nil || errors.Is(err, os.ErrNotExist)) {
		return nil // nor need the program be there
	}
	args := []string{"delete"}
	if force {
		args = append(args, "--force")
	}
	return c.control("delete", append(args, c.id)...)
}

// Update changes the limits that r names.
func (c *Container) Update(r *specs.LinuxResources) error {
	b, err := plainjson.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode limits of container %s: %w", c.id, err)
	}
	in, err := os.CreateTemp(c.dir, "update-")
	if err != nil {
		return fmt.Errorf("write limits of container %s: %w", c.id, err)
	}
	defer os.Remove(in.Name())
	defer in.Close()
	if _, err := in.Write(b); err != nil {
		return fmt.Errorf("write limits of container %s: %w", c.id, err)
	}
	return c.control("update", "update", "--resources", in.Name(), c.id)
}

// Pids lists the container's processes.
func (c *Container) Pids() ([]int, error) {
	m, err := cgroup.New(c.rt.Cgroups, c.id, nil)
	if err != nil {
		return nil, err
	}
	return m.Pids()
}

// OOMKills counts the container's processes that the kernel killed for their memory.
func (c *Container) OOMKills() (uint64, error) {
	m, err := cgroup.New(c.rt.Cgroups, c.id, nil)
	if err != nil {
		return 0, err
	}
	return m.OOMKills()
}

// spawn runs a command that leaves a process behind, and finds that.
func (c *Container) spawn(what, name string, io Stdio, args func(flags []string) []string) (pid int, err error) {
	pidFile := path.Join(c.dir, name+".pid")
	defer os.Remove(pidFile)
	flags := []string{"--pid-file", pidFile}
	var term *terminal
	if io.Console != nil {
		if term, err = c.listen(name + ".tty"); err != nil {
			return 0, err
		}
		defer term.close()
		flags = append(flags, "--console-socket", term.name)
	}
	release, err := adoptOrphans()
	if err != nil {
		return 0, err
	}
	defer release()
	if err := c.run(what, io, args(flags)...); err != nil {
		return 0, err
	}
	b, err := os.ReadFile(pidFile)
	if err == nil {
		pid, err = strconv.Atoi(strings.TrimSpace(string(b)))
	}
	if err == nil && term != nil {
		err = term.pass(io.Console)
	}
	if err == nil {
		Keep(pid) // before the release
	}
	if err != nil {
		return 0, fmt.Errorf("find the process of container %s: %w", c.id, err)
	}
	return pid, nil
}
