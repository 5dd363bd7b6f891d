package term

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/creack/pty"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"berth/tui/text"
)

// engine is an engine whose only container is the machine itself: an exec is a
// process on a pseudo-terminal, its stream a pipe.
type engine struct {
	t       testing.TB
	version string
	missing map[string]bool // commands that are not there
	tty     bool            // the main process has a terminal
	main    func(conn net.Conn)

	mu    sync.Mutex
	execs map[string]*process
	sizes []string // every resize asked for
	conns []net.Conn
}

type process struct {
	options client.ExecCreateOptions
	cmd     *exec.Cmd
	pty     *os.File
	done    chan struct{}
	code    int
}

func newEngine(t testing.TB) *engine {
	e := &engine{t: t, version: "1.47", tty: true, missing: map[string]bool{}, execs: map[string]*process{}}
	t.Cleanup(func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		for _, p := range e.execs {
			if p.cmd != nil {
				p.cmd.Process.Kill()
				<-p.done
				p.pty.Close()
			}
		}
		for _, c := range e.conns {
			c.Close()
		}
	})
	return e
}

func (e *engine) ClientVersion() string { return e.version }

func (e *engine) ExecCreate(_ context.Context, _ string, o client.ExecCreateOptions) (client.ExecCreateResult, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	id := fmt.Sprintf("exec%d", len(e.execs))
	e.execs[id] = &process{options: o, done: make(chan struct{})}
	return client.ExecCreateResult{ID: id}, nil
}

func (e *engine) ExecAttach(_ context.Context, id string, o client.ExecAttachOptions) (client.ExecAttachResult, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := e.execs[id]
	here, there := net.Pipe()
	e.conns = append(e.conns, here, there)
	result := client.ExecAttachResult{HijackedResponse: client.NewHijackedResponse(here, "")}
	if e.missing[p.options.Cmd[0]] {
		p.code = 127
		close(p.done)
		go func() {
			fmt.Fprintf(there, "exec: %q: executable file not found in $PATH\r\n", p.options.Cmd[0])
			there.Close()
		}()
		return result, nil
	}
	p.cmd = exec.Command(p.options.Cmd[0], p.options.Cmd[1:]...)
	p.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "PS1=> ", "HISTFILE=", "HOME=/nonexistent"}, p.options.Env...)
	p.cmd.Dir = "/"
	size := &pty.Winsize{Rows: uint16(o.ConsoleSize.Height), Cols: uint16(o.ConsoleSize.Width)}
	var err error
	if p.pty, err = pty.StartWithSize(p.cmd, size); err != nil {
		return result, err
	}
	go io.Copy(p.pty, there)
	go func() {
		io.Copy(there, p.pty)
		p.cmd.Wait()
		p.code = p.cmd.ProcessState.ExitCode()
		close(p.done)
		there.Close()
	}()
	return result, nil
}

func (e *engine) ExecInspect(_ context.Context, id string, _ client.ExecInspectOptions) (client.ExecInspectResult, error) {
	e.mu.Lock()
	p := e.execs[id]
	e.mu.Unlock()
	select {
	case <-p.done:
		return client.ExecInspectResult{ExitCode: p.code}, nil
	case <-time.After(time.Second):
		return client.ExecInspectResult{Running: true}, nil
	}
}

func (e *engine) ExecResize(_ context.Context, id string, o client.ExecResizeOptions) (client.ExecResizeResult, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sizes = append(e.sizes, fmt.Sprintf("%dx%d", o.Width, o.Height))
	p := e.execs[id]
	if p.pty == nil {
		return client.ExecResizeResult{}, errors.New("no such exec")
	}
	return client.ExecResizeResult{}, pty.Setsize(p.pty, &pty.Winsize{Rows: uint16(o.Height), Cols: uint16(o.Width)})
}

func (e *engine) ContainerInspect(context.Context, string, client.ContainerInspectOptions) (client.ContainerInspectResult, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return client.ContainerInspectResult{Container: container.InspectResponse{
		State:  &container.State{Running: e.main != nil, ExitCode: 3},
		Config: &container.Config{Tty: e.tty, OpenStdin: true},
	}}, nil
}

func (e *engine) ContainerAttach(context.Context, string, client.ContainerAttachOptions) (client.ContainerAttachResult, error) {
	here, there := net.Pipe()
	e.mu.Lock()
	e.conns = append(e.conns, here, there)
	main := e.main
	e.mu.Unlock()
	go main(there)
	return client.ContainerAttachResult{HijackedResponse: client.NewHijackedResponse(here, "")}, nil
}

func (e *engine) ContainerResize(_ context.Context, _ string, o client.ContainerResizeOptions) (client.ContainerResizeResult, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sizes = append(e.sizes, fmt.Sprintf("%dx%d", o.Width, o.Height))
	return client.ContainerResizeResult{}, nil
}

// user sits before a pane: commands run in goroutines as the runtime runs
// them, their messages come back one at a time.
type user struct {
	t    testing.TB
	m    *Model
	msgs chan tea.Msg
	out  []tea.Msg // messages for the console
}

func sit(t testing.TB, e *engine, width, height int) *user {
	u := &user{t: t, m: New(Config{Engine: e}), msgs: make(chan tea.Msg, 1000)}
	u.m.SetSize(width, height)
	u.m.SetContainer("c1", "web", true)
	u.m.Focus()
	t.Cleanup(u.m.Close)
	return u
}

func (u *user) run(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	go func() {
		switch msg := cmd().(type) {
		case nil:
		case tea.BatchMsg:
			for _, c := range msg {
				u.run(c)
			}
		default:
			u.msgs <- msg
		}
	}()
}

func (u *user) handle(msg tea.Msg) {
	switch msg.(type) {
	case LeaveMsg, ZoomMsg, CopyMsg, EndedMsg, NoticeMsg:
		u.out = append(u.out, msg)
	default:
		u.run(u.m.Update(msg))
	}
}

// until handles messages until cond holds. What it depends on may change
// without a message, so that it is looked at again every few milliseconds.
func (u *user) until(what string, cond func() bool) {
	u.t.Helper()
	deadline := time.After(20 * time.Second)
	for !cond() {
		select {
		case msg := <-u.msgs:
			u.handle(msg)
		case <-time.After(5 * time.Millisecond):
		case <-deadline:
			u.t.Fatalf("waited in vain for %s; the screen shows\n%s", what, u.screen())
		}
	}
}

func (u *user) sees(want string) {
	u.t.Helper()
	u.until(fmt.Sprintf("%q", want), func() bool { return strings.Contains(u.screen(), want) })
}

func (u *user) screen() string { return text.Strip(u.m.View(u.m.width, u.m.height)) }

// got waits for a message of the type of want and returns it.
func got[M tea.Msg](u *user) (m M) {
	u.t.Helper()
	u.until(fmt.Sprintf("%T", m), func() bool {
		for i, o := range u.out {
			if v, ok := o.(M); ok {
				m, u.out = v, append(u.out[:i], u.out[i+1:]...)
				return true
			}
		}
		return false
	})
	return m
}

// types types text; a line feed is the enter key.
func (u *user) types(s string) {
	for _, r := range s {
		k := tea.Key{Code: r, Text: string(r)}
		if r == '\n' {
			k = tea.Key{Code: tea.KeyEnter}
		}
		u.run(u.m.Update(tea.KeyPressMsg(k)))
	}
}

func (u *user) ctrl(r rune) { u.run(u.m.Update(tea.KeyPressMsg{Code: r, Mod: tea.ModCtrl})) }

func (u *user) key(code rune) { u.run(u.m.Update(tea.KeyPressMsg{Code: code})) }

// leader presses the leader and a key.
func (u *user) leader(s string) {
	u.ctrl(']')
	u.types(s)
}

// prompt waits for the n-th prompt of a shell, of root or of somebody else.
func (u *user) prompt(n int) {
	u.t.Helper()
	u.until("a prompt", func() bool {
		return strings.Count(u.screen(), "# ")+strings.Count(u.screen(), "$ ") >= n
	})
}
