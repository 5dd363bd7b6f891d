// Package session joins the terminal of a verb (run, exec, attach, start -a) to
// the stream of a container: raw mode, sizes, signals and the keys that detach.
//
// Terms: the streams are the verb's own stdin, stdout and stderr; a connection
// is what the engine upgraded, raw with a terminal, in docker's 8-byte frames
// without one. The terminal is given back on every way out, signals included.
package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"
	"github.com/moby/term"
)

// ErrDetached is returned when the user typed the detach keys: the container
// goes on.
var ErrDetached = errors.New("detached")

// DefaultDetachKeys are docker's.
const DefaultDetachKeys = "ctrl-p,ctrl-q"

// Streams are a verb's files. In is nil when the container's stdin stays
// closed.
type Streams struct {
	In       *os.File
	Out, Err io.Writer
}

// Options say how Copy reads and writes.
type Options struct {
	TTY        bool
	DetachKeys string // "" for the default
}

// Copy moves bytes until the container's side ends, or the user detaches
// (ErrDetached). It closes the connection. With a terminal the caller has made
// stdin raw before.
func Copy(ctx context.Context, conn client.HijackedResponse, s Streams, o Options) error {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()

	output := make(chan error, 1)
	go func() {
		var err error
		if o.TTY {
			_, err = io.Copy(s.Out, conn.Reader)
		} else {
			_, err = stdcopy.StdCopy(s.Out, s.Err, conn.Reader)
		}
		output <- err
	}()
	// The reader of stdin may outlive this function: a blocked read of a
	// terminal ends with the process.
	detached := make(chan error, 1)
	if s.In != nil {
		in, err := input(s.In, o)
		if err != nil {
			return err
		}
		go func() {
			_, err := io.Copy(conn.Conn, in)
			var escape term.EscapeError
			if errors.As(err, &escape) {
				detached <- ErrDetached
				return
			}
			if c, ok := conn.Conn.(client.CloseWriter); ok {
				// The other side may be gone already; its output says so.
				_ = c.CloseWrite()
			}
		}()
	}
	select {
	case err := <-output:
		// A key that detaches and the end of the output may come together.
		select {
		case err := <-detached:
			return err
		default:
		}
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("reading the container's output: %w", err)
		}
		return ctx.Err()
	case err := <-detached:
		return err
	}
}

// input is stdin, watched for the detach keys when there is a terminal.
func input(in io.Reader, o Options) (io.Reader, error) {
	if !o.TTY {
		return in, nil
	}
	keys := o.DetachKeys
	if keys == "" {
		keys = DefaultDetachKeys
	}
	seq, err := term.ToBytes(keys)
	if err != nil {
		return nil, fmt.Errorf("--detach-keys %s: %w", keys, err)
	}
	return term.NewEscapeProxy(in, seq), nil
}
