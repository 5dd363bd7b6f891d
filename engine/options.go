package engine

import (
	"os"
	"time"

	"berth/engine/filter"
	"berth/engine/logs"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// CreateOptions describe a container to be created.
type CreateOptions struct {
	Name             string // without the leading slash; "" makes one up
	Config           *container.Config
	HostConfig       *container.HostConfig
	NetworkingConfig *network.NetworkingConfig
	Platform         *ocispec.Platform // nil: the machine's
	// ShallowReadOnly makes read-only binds of HostConfig.Binds leave what is mounted below them
	// writable, as all were before API 1.44. Those of HostConfig.Mounts say it themselves.
	ShallowReadOnly bool
}

// StartOptions are for what `docker start` may ask; checkpoints are refused.
type StartOptions struct {
	Checkpoint string
}

// StopOptions override the container's own stop signal and timeout.
type StopOptions struct {
	Signal  string // "" : the container's, the image's, SIGTERM
	Timeout *int   // seconds until SIGKILL; nil: the container's, 10; negative: wait for ever
}

// RemoveOptions say how much goes with a container.
type RemoveOptions struct {
	Force   bool // kill it when it runs
	Volumes bool // its anonymous volumes too
}

// ListOptions choose the containers of a listing.
type ListOptions struct {
	All     bool
	Limit   int // > 0: the newest, running or not
	Size    bool
	Filters filter.Args
}

// AttachOptions connect a client to a container's streams.
//
// Conn stays the caller's in every case: what the engine or the shim goes on
// using is a duplicate, so the caller closes its own descriptor after Attach.
type AttachOptions struct {
	Logs                  bool // first what the log holds
	Stream                bool // then what comes
	Stdin, Stdout, Stderr bool
	DetachKeys            string   // "ctrl-p,ctrl-q" when empty
	Mux                   bool     // docker's 8-byte frames; the container has no terminal
	Conn                  *os.File // a stream socket, blocking or not
	Pending               []byte   // bytes of the client that the HTTP server had read already
	// Accept, if not nil, gives Conn and Pending. It is called once: when the
	// attachment is certain and before any of its bytes can come. An HTTP server
	// takes the connection and answers 101 in it, so that errors before it still
	// have a status, and a client that starts the container after that answer
	// misses no output.
	Accept func() (conn *os.File, pending []byte, err error)
}

// LogsOptions choose the entries of a container's log.
type LogsOptions struct {
	Follow         bool
	Stdout, Stderr bool
	Since, Until   time.Time // zero: no limit
	Tail           int       // negative: all
	Details        bool      // fill in Entry.Attrs
}

// LogWriter receives log entries one at a time, in order. An error ends the reading.
// The entry's Line is valid during the call only.
type LogWriter interface {
	WriteEntry(e logs.Entry) error
}

// ExecOptions describe a further process of a running container.
type ExecOptions struct {
	User         string
	Privileged   bool
	Tty          bool
	ConsoleSize  *[2]uint // height, width
	AttachStdin  bool
	AttachStdout bool
	AttachStderr bool
	DetachKeys   string
	Env          []string
	WorkingDir   string
	Cmd          []string
}

// ExecStartOptions start an exec. The rule on Conn is that of AttachOptions;
// on an error nothing has been written to it.
type ExecStartOptions struct {
	Detach      bool
	Tty         bool
	Mux         bool     // docker's 8-byte frames on Conn, around a terminal's output too: what the client says at the start counts
	ConsoleSize *[2]uint // height, width
	Conn        *os.File // nil when Detach
	Pending     []byte
}
