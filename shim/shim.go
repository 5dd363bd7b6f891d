// Package shim is the engine's side of a container's shim: it starts shims, finds them
// again after a restart, and speaks to them.
//
// A shim is one process per container, the parent of the container's first process. Its
// life:
//
//	Start    spawns it; it mounts the root filesystem in its own mount namespace, creates the container and parks it
//	Start()  lets the container's process go
//	…        the engine may die and come back with Connect; the shim does not notice
//	exit     drain the outputs → flush the log → delete the cgroup → durable exit record → answer the waiters →
//	         close the attached connections → remove the shim's directory → the shim is gone
//
// The record of a container with ExitUnsynced is written without a sync: it outlasts the
// engine and the shim, and a crash of the host takes it.
//
// A shim serves the connections of attached clients itself: the engine hands the
// descriptor over and is out of the way. If a shim is killed the kernel takes its
// mounts and descriptors; Reap removes the rest.
//
//	self, err := shim.NewExecutable("")
//	err = shim.PrivateMount("/run/berth/rootfs")
//	c, err := shim.Start(ctx, self, cfg) // parked: attach networks to c.NetNS() here
//	err = c.Start()
//	exit, err := c.Wait(ctx)
//
// Errors carry the kinds of errdefs: NotFound if no shim lives in the directory,
// Unavailable if it went away in the middle. An executable that is missing in the
// container is container.ErrNotFound, one that cannot be executed
// container.ErrNotExecutable. What an external runtime refuses is ErrExternal, whatever it is.
package shim

import (
	"berth/shim/wire"
)

// The types that the shim and its client share; see package wire for the fields.
type (
	Config    = wire.Config
	LogConfig = wire.LogConfig
	LogRemote = wire.LogRemote
	Info      = wire.Info
	ExecInfo  = wire.ExecInfo
	Tree      = wire.Tree
	Runtime   = wire.Runtime
	Exit      = wire.Exit
	Status    = wire.Status
	End       = wire.End
	Forward   = wire.Forward
)

// What a container can be in.
const (
	StatusCreated = wire.StatusCreated
	StatusRunning = wire.StatusRunning
	StatusPaused  = wire.StatusPaused
	StatusStopped = wire.StatusStopped
)

// How an attachment can end.
const (
	EndExited   = wire.EndExited
	EndDetached = wire.EndDetached
	EndGone     = wire.EndGone
)

// ErrExternal is the kind of what an external runtime says of a request that it does not fulfil.
var ErrExternal = wire.ErrExternal

// ParseDetachKeys checks docker's notation of detach keys, such as "ctrl-p,ctrl-q".
func ParseDetachKeys(s string) ([]byte, error) { return wire.ParseDetachKeys(s) }
