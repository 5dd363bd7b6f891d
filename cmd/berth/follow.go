package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"

	"berth/cmd/berth/connect"
)

// followLog prints a container's log as it grows, and goes on with the next engine where
// the one before broke off: it asks for the time of every line, to know where that is.
func (a *app) followLog(ctx context.Context, cl *connect.Client, id string, tty bool, o client.ContainerLogsOptions) error {
	stamps := &stamped{keep: o.Timestamps}
	o.Timestamps = true
	for {
		logs, err := cl.ContainerLogs(ctx, id, o)
		if err != nil {
			return err
		}
		if tty {
			lines := &stampedLines{stampedWriter{stamps, a.out}, nil}
			if _, err = io.Copy(lines, logs); err == nil {
				err = lines.flush()
			}
		} else {
			_, err = stdcopy.StdCopy(stampedWriter{stamps, a.out}, stampedWriter{stamps, a.err}, logs)
		}
		logs.Close()
		var output *outputError
		switch {
		case err == nil || ctx.Err() != nil:
			return nil
		case errors.As(err, &output):
			return output.err
		}
		if cl, err = a.nextEngine(ctx, false); err != nil {
			return fmt.Errorf("the engine went away: %w", err)
		}
		if !stamps.last.IsZero() {
			o.Since, o.Tail = stamps.last.Add(1).Format(time.RFC3339Nano), "all"
		}
	}
}

// stamped remembers the time of the last line.
type stamped struct {
	last time.Time
	keep bool // times are for the user too
}

// stampedWriter prints lines that begin with their time, one in each Write.
type stampedWriter struct {
	*stamped
	out io.Writer
}

// outputError is that of where lines are printed, not of where they come from.
type outputError struct{ err error }

func (e *outputError) Error() string { return e.err.Error() }

func (w stampedWriter) Write(line []byte) (int, error) {
	text := line
	if stamp, rest, ok := bytes.Cut(line, []byte{' '}); ok {
		if at, err := time.Parse(time.RFC3339Nano, string(stamp)); err == nil {
			w.last = at
			if !w.keep {
				text = rest
			}
		}
	}
	if _, err := w.out.Write(text); err != nil {
		return 0, &outputError{err}
	}
	return len(line), nil
}

// stampedLines cuts what a terminal printed, which comes without frames, into lines, and a
// line longer than the engine keeps in one piece into the pieces: each has the time of the
// first.
type stampedLines struct {
	stampedWriter
	rest []byte
}

// pieceSize is what the engine, as docker's, keeps of a line in one piece.
const pieceSize = 16 << 10

// flush prints a last line that has no end.
func (w *stampedLines) flush() error {
	line := w.rest
	w.rest = nil
	return w.print(line)
}

func (w *stampedLines) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		end := bytes.IndexByte(w.rest, '\n')
		if end < 0 {
			return len(p), nil
		}
		if err := w.print(w.rest[:end+1]); err != nil {
			return 0, err
		}
		w.rest = w.rest[end+1:]
	}
}

// print writes a line piece by piece.
func (w *stampedLines) print(line []byte) error {
	stamp := line[:bytes.IndexByte(line, ' ')+1]
	for len(line) > 0 {
		end := len(line)
		if next := len(stamp) + pieceSize; len(stamp) > 0 && len(line) > next && bytes.HasPrefix(line[next:], stamp) {
			end = next
		}
		if _, err := w.stampedWriter.Write(line[:end]); err != nil {
			return err
		}
		line = line[end:]
	}
	return nil
}
