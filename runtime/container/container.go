// Package container runs OCI bundles: it creates, starts, signals, freezes,
// inspects and deletes containers, and runs further processes in them.
//
// # Lifecycle
//
//	          Create              Start            (command ends)          Delete
//	(nothing) ──────► created ─────────► running ─────────────────► stopped ──────► (nothing)
//	             │                        │  ▲
//	             └► creating, if seen     ▼  │ Pause, Resume
//	                from elsewhere       paused
//
// Create returns when the container's first process, init, stands right before
// the execve of the command, in its namespaces and cgroups, without a terminal
// read or a byte of the command run. Start lets it go. Create is all or nothing:
// on error no process, mount, cgroup or directory of it is left.
//
// # State
//
// A container lives in its kernel objects and in one directory,
// StateRoot/<id>: state.json says where its parts are, and the socket `start`
// is where init waits (`start.tmp` while it is still being made). Any process
// may Load a container and act on it; a lock on the directory orders them. Since
// state.json names the cgroups before they are made, Delete with force cleans up
// after a runtime that was killed at any point of Create.
//
// # Threads
//
// A process that calls Create or Exec becomes undumpable (prctl(2)): the
// children it forks must never be traceable from within a container.
package container

import (
	"errors"
	"fmt"
	"os"
	"path"
	"sort"
	"strconv"
	"strings"
	"time"

	"berth/runtime/cgroup"
	"berth/runtime/initproc"
	"berth/runtime/seccomp"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Options say what Create creates.
type Options struct {
	ID        string
	StateRoot string      // directory of all containers' states; made if missing
	Bundle    string      // absolute path of the bundle directory
	Spec      *specs.Spec // nil: read Bundle/config.json
	// Seccomp is linux.seccomp of the spec, compiled already; nil: it is compiled.
	Seccomp *seccomp.Filter
	// Stdin, Stdout and Stderr are the command's when it has no terminal; nil is
	// /dev/null. They stay the caller's.
	Stdin, Stdout, Stderr *os.File
	// ConsoleSocket is a connected unix socket that receives the master of the
	// terminal as SCM_RIGHTS; required with process.terminal.
	ConsoleSocket *os.File
	// PlainNewlines has the terminal print a newline as it is, without a carriage
	// return, from the first one on.
	PlainNewlines bool
	ExtraFiles    []*os.File // become the command's descriptors 3, 4, …
	NoPivot       bool       // move the root to / instead of pivot_root
	NoNewKeyring  bool       // leave the caller's session keyring
	SystemdCgroup bool       // linux.cgroupsPath names a unit, which systemd makes
	Notify        bool       // make NotifyDir, for a socket that the command is to be given
	Warn          func(message string)
}

func (o *Options) validate() error {
	if err := checkID(o.ID); err != nil {
		return err
	}
	if !path.IsAbs(o.StateRoot) {
		return fmt.Errorf("state root %q is not absolute: %w", o.StateRoot, errdefs.ErrInvalidArgument)
	}
	if !path.IsAbs(o.Bundle) {
		return fmt.Errorf("bundle path %q is not absolute: %w", o.Bundle, errdefs.ErrInvalidArgument)
	}
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	return nil
}

// checkID takes the names that runc takes.
func checkID(id string) error {
	ok := id != "" && id != "." && id != ".." && len(id) <= 255
	for _, c := range id {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case c == '_', c == '+', c == ',', c == '-', c == '.':
		default:
			ok = false
		}
	}
	if !ok {
		return fmt.Errorf("invalid container ID %q: want letters, digits and _+,-. : %w", id, errdefs.ErrInvalidArgument)
	}
	return nil
}

// Container is one container. Its methods may be called from any process that
// has the rights.
type Container struct {
	dir  stateDir
	rec  record
	cg   *cgroup.Manager
	init *Process
	warn func(message string)
}

// Warn sets where problems are reported that do not keep a method from doing
// what it is for. It is Options.Warn for a container just created.
func (c *Container) Warn(f func(message string)) { c.warn = f }

// ID is the container's name.
func (c *Container) ID() string { return c.rec.ID }

// Load finds a container by its ID. The error is of the kind errdefs.ErrNotFound
// if there is none.
func Load(stateRoot, id string) (*Container, error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	dir := stateDir(path.Join(stateRoot, id))
	rec, err := dir.read()
	if errors.Is(err, os.ErrNotExist) {
		if st, serr := os.Stat(string(dir)); serr == nil && st.IsDir() {
			// Its creator died before it wrote anything.
			return &Container{dir: dir, rec: record{ID: id}}, nil
		}
		return nil, fmt.Errorf("container does not exist: %s: %w", id, errdefs.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	c := &Container{dir: dir, rec: rec}
	if len(rec.Cgroups) > 0 {
		if c.cg, err = cgroup.Load(rec.Cgroups, nil); err != nil {
			return nil, err
		}
		c.cg.OfUnit(rec.Unit)
	}
	return c, nil
}

// List loads all containers of a state root, in the order of their IDs.
// Directories that are no containers are left out, and so are those whose state
// cannot be read: skipped is told of them.
func List(stateRoot string, skipped func(id string, err error)) ([]*Container, error) {
	entries, err := os.ReadDir(stateRoot)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	var list []*Container
	for _, e := range entries {
		c, err := Load(stateRoot, e.Name())
		switch {
		case err == nil:
			list = append(list, c)
		case errdefs.IsNotFound(err), errdefs.IsInvalidArgument(err):
		default:
			skipped(e.Name(), err)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].rec.ID < list[j].rec.ID })
	return list, nil
}

// State gives the state as the runtime specification has it (runtime.md,
// "State"), with the further status "paused".
func (c *Container) State() (specs.State, error) {
	s := specs.State{
		Version: c.rec.Version, ID: c.rec.ID, Status: c.status(), Bundle: c.rec.Bundle, Annotations: c.rec.Annotations,
	}
	if s.Status != specs.StateStopped {
		s.Pid = c.rec.PID
	}
	return s, nil
}

// Paused is the status of a frozen container, which the specification leaves to
// runtimes.
const Paused specs.ContainerState = "paused"

func (c *Container) status() specs.ContainerState {
	if c.rec.PID == 0 {
		// Either its creator is at work, which holds the lock, or was killed.
		if c.dir.locked() {
			return specs.StateCreating
		}
		return specs.StateStopped
	}
	if !c.alive() {
		return specs.StateStopped
	}
	if c.cg != nil && c.cg.Frozen() {
		return Paused
	}
	switch {
	case c.dir.has(startSocket) && !c.released():
		return specs.StateCreated
	case c.dir.has(startSocket + ".tmp"):
		return specs.StateCreating
	}
	return specs.StateRunning
}

// released tells whether the command runs though the start socket is there: who
// started it was killed before the socket was removed.
func (c *Container) released() bool {
	exe, err := os.Readlink("/proc/" + strconv.Itoa(c.rec.PID) + "/exe")
	// A waiting init cannot be looked at by all who may ask, and is a fork of the
	// runtime where there is no stub.
	return err == nil && !strings.HasPrefix(exe, initproc.StubFile) && initproc.HasStub()
}

// alive tells whether init runs, and is init and not another process that got
// its number later. A zombie is not alive.
func (c *Container) alive() bool {
	state, started, err := processStat(c.rec.PID)
	return err == nil && state != 'Z' && state != 'X' && started == c.rec.Started
}

// Created gives the time of creation.
func (c *Container) Created() time.Time { return c.rec.Created }

// Bundle is the path of the bundle directory.
func (c *Container) Bundle() string { return c.rec.Bundle }

// Rootfs is the path of the root file system on the host.
func (c *Container) Rootfs() string { return c.rec.Rootfs }

// Owner is the user that created the container.
func (c *Container) Owner() int { return c.rec.Owner }

// Init is the container's first process. It is nil if this process is not the
// one that created the container.
func (c *Container) Init() *Process { return c.init }

// Pids lists the processes of the container by their numbers in the host's (or
// the caller's) pid namespace.
func (c *Container) Pids() ([]int, error) {
	if c.cg == nil {
		return c.family()
	}
	return c.cg.Pids()
}

// Pause freezes the container. It must be running or created.
func (c *Container) Pause() error {
	return c.dir.withLock(func() error {
		if s := c.status(); s != specs.StateRunning && s != specs.StateCreated {
			return fmt.Errorf("pause container %s: container not running: it is %s: %w", c.rec.ID, s, errdefs.ErrFailedPrecondition)
		}
		if c.cg == nil {
			return fmt.Errorf("pause container %s: %w", c.rec.ID, errNoCgroup)
		}
		return c.cg.Freeze(true)
	})
}

// Resume lets a paused container go on.
func (c *Container) Resume() error {
	return c.dir.withLock(func() error {
		if s := c.status(); s != Paused {
			return fmt.Errorf("resume container %s: container not paused: it is %s: %w", c.rec.ID, s, errdefs.ErrFailedPrecondition)
		}
		return c.cg.Freeze(false)
	})
}

// OOMKills counts the container's processes that the kernel killed because they
// used more memory than the limit.
func (c *Container) OOMKills() (uint64, error) {
	if c.cg == nil {
		return 0, nil
	}
	return c.cg.OOMKills()
}
