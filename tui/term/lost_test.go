package term

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/moby/moby/client"
)

// A stream that breaks while the process runs on is made again.
func TestABrokenAttachmentIsMadeAgain(t *testing.T) {
	e := newEngine(t)
	streams := make(chan net.Conn, 2)
	e.main = func(conn net.Conn) {
		conn.Write([]byte("partial out"))
		streams <- conn
	}
	u := sit(t, e, 60, 6)
	u.run(u.m.OpenAttach())
	u.sees("partial out")
	(<-streams).Close()
	u.until("a second attachment", func() bool { return strings.Count(u.screen(), "partial out") == 2 })
	u.types("x")
	typed := make([]byte, 1)
	if _, err := io.ReadFull(<-streams, typed); err != nil || typed[0] != 'x' {
		t.Errorf("the second stream got %q, %v", typed, err)
	}
}

// A way that is cut again and again is given up; the pane says so, and enter tries once more.
func TestALostAttachmentIsSaid(t *testing.T) {
	e := newEngine(t)
	e.main = func(conn net.Conn) { conn.Close() }
	u := sit(t, e, 100, 8)
	u.run(u.m.OpenAttach())
	if end := got[EndedMsg](u); !errors.Is(end.Err, errLost) {
		t.Errorf("%+v", end)
	}
	u.sees("the connection was lost")
	e.mu.Lock()
	e.main = func(conn net.Conn) { conn.Write([]byte("here again")) }
	e.mu.Unlock()
	u.key(tea.KeyEnter)
	u.sees("here again")
}

// mute is an engine that does not answer what became of an exec, and then that it runs.
type mute struct {
	*engine
	answers atomic.Bool
}

func (e *mute) ExecInspect(context.Context, string, client.ExecInspectOptions) (client.ExecInspectResult, error) {
	if e.answers.Load() {
		return client.ExecInspectResult{Running: true}, nil
	}
	gone, err := client.New(client.WithHost("unix:///nonexistent/engine.sock"))
	if err != nil {
		return client.ExecInspectResult{}, err
	}
	return gone.ExecInspect(context.Background(), "x", client.ExecInspectOptions{})
}

// A shell whose connection is cut and that still runs is not taken for one that ended well.
func TestALostShellIsSaid(t *testing.T) {
	e := newEngine(t)
	lost := &mute{engine: e}
	u := sit(t, e, 100, 8)
	u.m.cfg.Engine = lost
	u.run(u.m.OpenShell())
	u.prompt(1)
	e.mu.Lock()
	conns := slices.Clone(e.conns)
	e.mu.Unlock()
	conns[len(conns)-1].Close() // the engine's end
	u.sees("no engine answers")
	lost.answers.Store(true)
	if end := got[EndedMsg](u); !errors.Is(end.Err, errLost) {
		t.Errorf("%+v", end)
	}
	u.sees("enter opens a new one")
	u.key(tea.KeyEnter)
	u.prompt(1)
}
