package engine

import (
	"time"

	"berth/engine/spec"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// record is what the database keeps of a container. Config, HostConfig and
// what else is behind a pointer never change in place: a change replaces them,
// so a copy of a record is a consistent picture.
type record struct {
	ID, Name   string // the name without slash
	Created    time.Time
	ImageID    string // digest of the image's config
	Path       string
	Args       []string
	Config     *container.Config     // merged with the image's
	HostConfig *container.HostConfig // with defaults filled in
	Networking *network.NetworkingConfig
	Mounts     []container.MountPoint // resolved binds, volumes, images and tmpfs
	// MountOptions are what Mounts does not say, by destination.
	MountOptions map[string]spec.MountOptions `json:",omitempty"`
	State        state

	RestartCount    int
	Backoff         backoff   // before the last restart
	RestartAt       time.Time // of a restarting container: when
	keepAutoRemove  bool      // AutoRemove is only suspended, see setAutoRemove
	ManuallyStopped bool      // a client stopped it: no restart policy brings it back in this engine's life
}

// state is the lifecycle of a container:
//
//	created ──start──► running ⇄ paused
//	                   │  ▲
//	                 exit │ restart policy, after a pause ("restarting")
//	                   ▼  │
//	                  exited ──remove──► gone
//
// "running" on disk may be out of date after a crash; a living shim is the truth.
type state struct {
	Running    bool // a shim lives; also true while Restarting, as in docker
	Paused     bool
	Restarting bool // exited, waiting for its next run
	OOMKilled  bool
	Pid        int
	ExitCode   int
	Error      string            // why the last start did not work
	StartedAt  time.Time         // zero: never
	FinishedAt time.Time         // zero: never
	Health     *container.Health // nil without a check; never changes in place
}

// status is docker's word for the state.
func (s state) status(removing bool) container.ContainerState {
	switch {
	case removing:
		return container.StateRemoving
	case s.Restarting:
		return container.StateRestarting
	case s.Paused:
		return container.StatePaused
	case s.Running:
		return container.StateRunning
	case s.StartedAt.IsZero() && s.FinishedAt.IsZero():
		return container.StateCreated
	}
	return container.StateExited
}

// mount is the mount point i with its options.
func (r *record) mount(i int) spec.Mount {
	m := r.Mounts[i]
	return spec.Mount{MountPoint: m, MountOptions: r.MountOptions[m.Destination]}
}

// imageName is how the client called the image.
func (r *record) imageName() string { return r.Config.Image }

// snapshotKey names the writable layer of a container in the snapshotter.
func snapshotKey(id string) string { return snapshotPrefix + id }

const snapshotPrefix = "container/"
