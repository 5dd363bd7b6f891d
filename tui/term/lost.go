package term

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/moby/moby/client"
)

// An engine may be replaced under a session: the stream goes on, since it belongs
// to the container's shim, but for a moment nobody answers questions about it.

const (
	askFirst = 5 * time.Millisecond
	askLast  = 500 * time.Millisecond
	// An attachment is made again at most attachments times in a row, unless it
	// was steady for a while: a way that is cut at once does not get better.
	attachments = 3
	steady      = time.Second
)

// errLost: the stream ended and its process did not.
var errLost = errors.New("the connection was lost, and the process may run on; enter opens a new one")

// answered repeats a question until an engine answers it, and the pane says
// meanwhile that it waits for one.
func (s *session) answered(ctx context.Context, ask func() error) error {
	defer s.setWaiting(false)
	for pause := askFirst; ; pause = min(2*pause, askLast) {
		err := ask()
		if !client.IsErrConnectionFailed(err) {
			return err
		}
		s.setWaiting(true)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// setWaiting records that the stream is over and no engine can say why.
func (s *session) setWaiting(on bool) {
	s.mu.Lock()
	changed := s.waiting != on
	s.waiting = on
	s.mu.Unlock()
	if changed {
		poke(s.dirty)
	}
}

// follow tells the engine about every new size until done is closed. The
// process may not be there yet when the first size is sent, and an engine that
// is being replaced is waited for.
func (s *session) follow(ctx context.Context, set func(ctx context.Context, width, height int) error, done <-chan struct{}) {
	const tries = 10
	for try := 1; ; try++ {
		width, height := s.size()
		err := set(ctx, width, height)
		if ctx.Err() != nil {
			return
		}
		var again <-chan time.Time
		if err != nil && (try < tries || client.IsErrConnectionFailed(err)) {
			again = time.After(min(time.Duration(try)*askFirst, askLast))
		}
		select {
		case <-again:
		case <-s.resized:
			try = 0
		case <-done:
			return
		}
	}
}

// runAttach connects to the main process, and again when the stream breaks while
// the process runs on (the container was restarted, the way to it was cut).
func (s *session) runAttach(ctx context.Context, e Engine, spawn func(func())) (code int, detached bool, err error) {
	for quick := 1; ; quick++ {
		began := time.Now()
		code, running, err := s.attach(ctx, e, spawn)
		switch {
		case err != nil || !running || ctx.Err() != nil:
			return code, running, err
		case time.Since(began) >= steady:
			quick = 0
		case quick > attachments:
			return 0, false, fmt.Errorf("attached to %s: %w", s.name, errLost)
		}
		s.output([]byte("\r\n"))
	}
}
