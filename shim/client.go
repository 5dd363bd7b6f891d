package shim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/containerd/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"berth/shim/wire"
)

// callTimeout bounds a request that only a stuck shim leaves unanswered.
const callTimeout = time.Minute

// Client speaks to one shim. Each request uses a connection of its own, so a Client
// holds no descriptor, may be used by many goroutines at once, and its requests wait
// for nobody.
type Client struct {
	dir      string
	id       string
	pid      int // of the container's first process
	shimPID  int
	exitPath string
}

// Connect finds the shim that lives in dir, which is the Config.Dir it was started
// with. The error is NotFound if none does.
func Connect(ctx context.Context, dir string) (*Client, error) {
	c := &Client{dir: dir}
	info, err := c.info(ctx)
	if err != nil {
		return nil, err
	}
	c.id, c.pid, c.shimPID, c.exitPath = info.ID, info.PID, info.ShimPID, info.ExitPath
	return c, nil
}

// Close releases the client; the shim and its container are not touched.
func (c *Client) Close() error { return nil }

// ID of the container.
func (c *Client) ID() string { return c.id }

// PID of the container's first process, in the engine's PID namespace.
func (c *Client) PID() int { return c.pid }

// ShimPID is the process ID of the shim.
func (c *Client) ShimPID() int { return c.shimPID }

// Info asks for the state of the container, its execs and its log.
func (c *Client) Info() (Info, error) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	return c.info(ctx)
}

func (c *Client) info(ctx context.Context) (Info, error) {
	m, err := c.call(ctx, wire.TypeInfo, nil, wire.TypeInfoReply)
	if err != nil {
		return Info{}, err
	}
	return wire.DecodeInfo(m.Body)
}

// Start lets the parked process of the container go.
func (c *Client) Start() error { return c.ok(wire.TypeStart, nil) }

// Kill sends a signal to the first process, or to all of the container's.
func (c *Client) Kill(sig unix.Signal, all bool) error {
	s := wire.Signal{Sig: int(sig), All: all}
	return c.ok(wire.TypeKill, s.Encode())
}

// Pause freezes all processes of the container.
func (c *Client) Pause() error { return c.ok(wire.TypePause, nil) }

// Resume thaws them.
func (c *Client) Resume() error { return c.ok(wire.TypeResume, nil) }

// Resize sets the size of the container's terminal in character cells. The error is
// FailedPrecondition if it has none.
func (c *Client) Resize(height, width uint) error {
	s := wire.Size{Height: height, Width: width}
	return c.ok(wire.TypeResize, s.Encode())
}

// AttachOptions says which streams a client wants on its connection, and how.
type AttachOptions struct {
	Stdin, Stdout, Stderr bool
	DetachKeys            string    // docker's notation, "" for ctrl-p,ctrl-q; looked for on terminals only
	Mux                   bool      // output in docker's frames of eight header bytes; ignored on a terminal
	Pending               []byte    // input that was already read from the connection
	Ended                 func(End) // called once when the attachment ends; not called when the shim dies before
}

func (o AttachOptions) encode() (wire.Attach, error) {
	keys, err := wire.ParseDetachKeys(o.DetachKeys)
	return wire.Attach{Stdin: o.Stdin, Stdout: o.Stdout, Stderr: o.Stderr, DetachKeys: keys, Mux: o.Mux, Pending: o.Pending}, err
}

// Attach hands conn to the shim, which serves it from now on: output that the container
// writes after Attach returned is delivered. conn stays the caller's to close, which it
// should do at once; it must be a socket (or a pipe for output alone), blocking or not.
func (c *Client) Attach(o AttachOptions, conn *os.File) error {
	a, err := o.encode()
	if err != nil {
		return err
	}
	_, err = c.hand(wire.TypeAttach, a.Encode(), wire.TypeOK, conn, o.Ended)
	return err
}

// ExecConfig is one more process for a container.
type ExecConfig struct {
	ID             string
	Process        *specs.Process
	Tty, OpenStdin bool
	ConsoleSize    [2]uint // height, width
	Attach         AttachOptions
}

// Exec starts a process in the running container and returns its process ID. conn is
// served like that of Attach; nil starts it detached.
func (c *Client) Exec(x ExecConfig, conn *os.File) (int, error) {
	process, err := json.Marshal(x.Process)
	if err != nil {
		return 0, fmt.Errorf("encode process of exec %s: %w", x.ID, err)
	}
	a, err := x.Attach.encode()
	if err != nil {
		return 0, err
	}
	req := wire.Exec{ID: x.ID, Process: process, Tty: x.Tty, OpenStdin: x.OpenStdin, ConsoleSize: x.ConsoleSize, Attach: a}
	m, err := c.hand(wire.TypeExec, req.Encode(), wire.TypePID, conn, x.Attach.Ended)
	if err != nil {
		return 0, err
	}
	return wire.DecodePID(m.Body)
}

// ExecKill sends a signal to the process of an exec.
func (c *Client) ExecKill(id string, sig unix.Signal) error {
	s := wire.Signal{ID: id, Sig: int(sig)}
	return c.ok(wire.TypeExecKill, s.Encode())
}

// ExecResize sets the size of an exec's terminal.
func (c *Client) ExecResize(id string, height, width uint) error {
	s := wire.Size{ID: id, Height: height, Width: width}
	return c.ok(wire.TypeExecResize, s.Encode())
}

// WaitExec blocks until the process of an exec ended and its output was delivered. The
// shim forgets the exec once its exit was collected here; the error is NotFound then.
func (c *Client) WaitExec(ctx context.Context, id string) (Exit, error) {
	m, err := c.call(ctx, wire.TypeExecWait, wire.EncodeID(id), wire.TypeExit)
	if err != nil {
		return Exit{}, err
	}
	return wire.DecodeExit(m.Body)
}

// Wait blocks until the container ended and its exit record is durable. It also answers
// when the shim has already left, from the record; the error is Unavailable if the shim
// was killed.
func (c *Client) Wait(ctx context.Context) (Exit, error) {
	m, err := c.call(ctx, wire.TypeWait, nil, wire.TypeExit)
	if err == nil {
		return wire.DecodeExit(m.Body)
	}
	if errdefs.IsNotFound(err) || errdefs.IsUnavailable(err) {
		exit, rerr := ReadExit(c.exitPath)
		if rerr == nil && exit.PID == c.pid {
			return exit, nil
		}
		return Exit{}, fmt.Errorf("wait for container %s: shim %d is gone without an exit record: %w", c.id, c.shimPID, errdefs.ErrUnavailable)
	}
	return Exit{}, err
}

// ok sends a request that is answered by ok.
func (c *Client) ok(t wire.Type, body []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	_, err := c.call(ctx, t, body, wire.TypeOK)
	return err
}

// call sends one request on a connection of its own and returns the reply, which has
// the type want.
func (c *Client) call(ctx context.Context, t wire.Type, body []byte, want wire.Type) (wire.Message, error) {
	conn, err := dial(c.dir)
	if err != nil {
		return wire.Message{}, err
	}
	defer conn.Close()
	return c.ask(ctx, conn, t, body, want)
}

// hand sends a request that carries the connection of an attached client. If ended is
// not nil it is called with how the attachment ended.
func (c *Client) hand(t wire.Type, body []byte, want wire.Type, file *os.File, ended func(End)) (wire.Message, error) {
	var fds []int
	if file != nil {
		dup, err := duplicate(file)
		if err != nil {
			return wire.Message{}, fmt.Errorf("hand connection to shim: %w", err)
		}
		defer unix.Close(dup)
		fds = []int{dup}
	}
	conn, err := dial(c.dir)
	if err != nil {
		return wire.Message{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	m, err := c.ask(ctx, conn, t, body, want, fds...)
	if err != nil || file == nil || ended == nil {
		conn.Close()
		return m, err
	}
	go func() {
		defer conn.Close()
		m, err := conn.Recv()
		if err != nil || m.Type != wire.TypeEnded {
			m.CloseFDs()
			return
		}
		if end, err := wire.DecodeEnd(m.Body); err == nil {
			ended(end)
		}
	}()
	return m, nil
}

// ask sends a request on conn and waits for its reply, at most as long as ctx lives.
func (c *Client) ask(ctx context.Context, conn *wire.Conn, t wire.Type, body []byte, want wire.Type, fds ...int) (wire.Message, error) {
	if err := ctx.Err(); err != nil {
		return wire.Message{}, err
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	err := conn.Send(t, body, fds...)
	var m wire.Message
	if err == nil {
		m, err = conn.Recv()
	}
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return wire.Message{}, ctx.Err()
	case errors.Is(err, io.EOF), errors.Is(err, unix.ECONNRESET), errors.Is(err, unix.EPIPE), errors.Is(err, io.ErrUnexpectedEOF):
		return wire.Message{}, fmt.Errorf("ask shim in %s: it went away: %w", c.dir, errdefs.ErrUnavailable)
	default:
		return wire.Message{}, fmt.Errorf("ask shim in %s: %w", c.dir, err)
	}
	switch m.Type {
	case want:
		// The deadline may still fire between here and stop; the connection is only
		// used on for ended.
		if stop() {
			err = conn.SetDeadline(time.Time{})
		}
		return m, err
	case wire.TypeError:
		m.CloseFDs()
		return wire.Message{}, wire.DecodeError(m.Body)
	}
	m.CloseFDs()
	return wire.Message{}, fmt.Errorf("ask shim in %s: reply has type %d, not %d", c.dir, m.Type, want)
}

// dial connects to the shim in dir. The path goes through a descriptor of the
// directory, for a socket's address ends at 107 bytes.
func dial(dir string) (*wire.Conn, error) {
	dirfd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		if err == unix.ENOENT {
			err = errdefs.ErrNotFound
		}
		return nil, fmt.Errorf("connect to shim in %s: %w", dir, err)
	}
	defer unix.Close(dirfd)
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("connect to shim in %s: %w", dir, err)
	}
	addr := &unix.SockaddrUnix{Name: filepath.Join("/proc/self/fd", fmt.Sprint(dirfd), wire.SocketName)}
	for {
		err = unix.Connect(fd, addr)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		unix.Close(fd)
		if err == unix.ENOENT || err == unix.ECONNREFUSED {
			err = errdefs.ErrNotFound
		}
		return nil, fmt.Errorf("connect to shim in %s: %w", dir, err)
	}
	return wire.NewConn(fd)
}

// ReadExit reads the exit record at path. The error is NotFound if there is none.
func ReadExit(path string) (Exit, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			err = errdefs.ErrNotFound
		}
		return Exit{}, fmt.Errorf("read exit record %s: %w", path, err)
	}
	var x Exit
	if err := json.Unmarshal(b, &x); err != nil {
		return Exit{}, fmt.Errorf("read exit record %s: %w", path, err)
	}
	return x, nil
}
