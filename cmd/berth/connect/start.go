package connect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ExitBusy is the exit code of `berth serve` when another engine holds the
// root (EX_TEMPFAIL of sysexits.h): the caller dials that one.
const ExitBusy = 75

// IdleTimeout is how long an engine that was started for a verb stays without
// containers and clients.
const IdleTimeout = 5 * time.Minute

// retryPause is between two looks at a socket that another process is about to
// open; only the race of two starting engines waits for it.
const retryPause = 5 * time.Millisecond

// startAndWait returns when an engine listens: one that it started, or one
// that another process started at the same time.
func startAndWait(ctx context.Context, c Config, o Options) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("%w, and starting one needs root: run the command with sudo, or start one with: sudo berth serve", ErrNoEngine)
	}
	patience := o.Patience
	if patience == 0 {
		patience = 30 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := Spawn(ctx, c, SpawnOptions{IdleTimeout: IdleTimeout})
		if err == nil {
			return nil
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != ExitBusy {
			return err
		}
		// Another engine has the root: it is starting, or leaving.
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for the engine that holds %s: it does not listen on %s: %w", c.Root, c.SocketPath(), ctx.Err())
		case <-time.After(retryPause):
		}
		if conn, err := dial(ctx, c); err == nil {
			return conn.Close()
		}
	}
}

// SpawnOptions say how a background engine is started.
type SpawnOptions struct {
	IdleTimeout time.Duration
	// Listeners are inherited instead of opened: a console that leaves hands
	// its sockets over, and what connects meanwhile waits in their queues.
	Listeners []*os.File
}

// Spawn starts `berth serve` in a session of its own and returns when it
// listens. Its error holds what the engine said last; it unwraps to
// *exec.ExitError when the engine ended.
func Spawn(ctx context.Context, c Config, o SpawnOptions) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding berth's own executable: %w", err)
	}
	if err := os.MkdirAll(c.State, 0o711); err != nil {
		return fmt.Errorf("making the state directory: %w", err)
	}
	log, err := os.OpenFile(c.LogPath(), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("opening the engine's log: %w", err)
	}
	defer log.Close()
	from, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("reading the engine's log: %w", err)
	}
	ready, readyEnd, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("making the engine's ready pipe: %w", err)
	}
	defer ready.Close()

	args := []string{"--root", c.Root, "--state", c.State, "serve", "--ready-fd", "3"}
	if o.IdleTimeout > 0 {
		args = append(args, "--idle-timeout", o.IdleTimeout.String())
	}
	files := []*os.File{readyEnd}
	for _, l := range o.Listeners {
		args = append(args, "--listen-fd", strconv.Itoa(3+len(files)))
		files = append(files, l)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = c.Environ()
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = files
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	readyEnd.Close()
	if err != nil {
		return fmt.Errorf("starting the engine %s: %w", self, err)
	}
	return awaitReady(ctx, cmd, ready, log, from)
}

// awaitReady reads the byte that the engine writes once it listens. The end of
// the pipe without it means that the engine has ended.
func awaitReady(ctx context.Context, cmd *exec.Cmd, ready, log *os.File, from int64) error {
	stop := context.AfterFunc(ctx, func() { ready.SetReadDeadline(time.Now()) })
	defer stop()
	var b [1]byte
	_, err := ready.Read(b[:])
	switch {
	case err == nil:
		return cmd.Process.Release()
	case ctx.Err() != nil:
		cmd.Process.Kill()
		cmd.Wait()
		return fmt.Errorf("the engine did not get ready: %w%s", ctx.Err(), said(log, from))
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("the engine could not start: %w%s", err, said(log, from))
	}
	return fmt.Errorf("the engine ended at once%s", said(log, from))
}

// said is what the engine has written to its log since offset from.
func said(log *os.File, from int64) string {
	b := make([]byte, 4<<10)
	n, err := log.ReadAt(b, from)
	if err != nil && err != io.EOF {
		return ""
	}
	text := string(bytes.TrimSpace(b[:n]))
	if text == "" {
		return ""
	}
	return "\n  " + strings.ReplaceAll(text, "\n", "\n  ")
}
