package term

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/moby/moby/client"

	"berth/tui/keymap"
)

// quiet is a running session without a stream: the test writes its output.
func quiet(t *testing.T, width, height int) (*user, *session) {
	u := sit(t, newEngine(t), width, height)
	s := newSession("q", "c1", "web", 1, Shell, width, height, 100)
	s.state = running
	u.m.sessions = append(u.m.sessions, s)
	u.m.last["c1"] = s
	return u, s
}

// sent is what was queued for the program, and no more.
func (s *session) sent() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.input
	s.input = nil
	return string(p)
}

func TestTheStateIsOnTheLastRow(t *testing.T) {
	u, s := quiet(t, 60, 6)
	s.output([]byte("text"))
	for _, c := range []struct {
		set  func()
		want string
	}{
		{func() { s.state = connecting }, "starting a shell in web …"},
		{func() { s.kind = Attach }, "attaching to web …"},
		{func() { s.finish(3, false, nil) }, "ended with exit status 3"},
		{func() { s.finish(0, false, errors.New("the wire \x1b[31mbroke")) }, "failed   ⏎ again"},
		{func() { u.ctrl(']') }, "q leave  z zoom"},
	} {
		c.set()
		u.sees(c.want)
	}
	u.sees("the wire broke")
	u.m.SetContainer("c2", "db\x1b[2J", false)
	u.sees("db is not running")
	u.m.SetContainer("", "", false)
	u.sees("no container is selected")
}

func TestTheCursor(t *testing.T) {
	u, s := quiet(t, 20, 5)
	s.output([]byte("ab\r\ncd\x1b[6 q"))
	c := u.m.Cursor()
	if c == nil || c.X != 2 || c.Y != 1 || c.Shape != tea.CursorBar {
		t.Fatalf("cursor %+v", c)
	}
	s.output([]byte("\x1b[4 q"))
	if c := u.m.Cursor(); c.Shape != tea.CursorUnderline {
		t.Errorf("shape %v", c.Shape)
	}
	for name, hide := range map[string]func() func(){
		"hidden by the program": func() func() {
			s.output([]byte("\x1b[?25l"))
			return func() { s.output([]byte("\x1b[?25h")) }
		},
		"no focus":     func() func() { u.m.Blur(); return u.m.Focus },
		"looking back": func() func() { u.leader("["); return func() { u.types("q") } },
		"another pane": func() func() {
			u.m.SetContainer("c2", "db", true)
			return func() { u.m.SetContainer("c1", "web", true) }
		},
	} {
		show := hide()
		if u.m.Cursor() != nil {
			t.Errorf("%s: the cursor is shown", name)
		}
		show()
		if u.m.Cursor() == nil {
			t.Errorf("%s: the cursor does not come back", name)
		}
	}
}

func TestFocusIsReportedToWhoWantsIt(t *testing.T) {
	u, s := quiet(t, 20, 5)
	u.m.Blur()
	u.m.Focus()
	if got := s.sent(); got != "" {
		t.Errorf("%q was sent unasked", got)
	}
	s.output([]byte("\x1b[?1004h"))
	u.m.Focus()
	u.m.Blur()
	u.m.Focus()
	if got := s.sent(); got != "\x1b[O\x1b[I" {
		t.Errorf("%q was sent", got)
	}
}

func TestTheWheelOfAPagerIsItsArrows(t *testing.T) {
	u, s := quiet(t, 20, 5)
	s.output([]byte("\x1b[?1049h"))
	u.run(u.m.Update(tea.MouseWheelMsg{Button: tea.MouseWheelUp}))
	s.output([]byte("\x1b[?1h"))
	u.run(u.m.Update(tea.MouseWheelMsg{Button: tea.MouseWheelDown}))
	if got := s.sent(); got != strings.Repeat("\x1b[A", 3)+strings.Repeat("\x1bOB", 3) {
		t.Errorf("%q was sent", got)
	}
	if s.view != nil {
		t.Error("it looks back at nothing")
	}
}

func TestTheMouseOutsideOfTheScreenIsNotReported(t *testing.T) {
	u, s := quiet(t, 20, 5)
	s.output([]byte("\x1b[?1003h\x1b[?1006h"))
	if !u.m.WantsMouse() || !u.m.WantsMotion() {
		t.Error("the mouse is wanted, motion too")
	}
	for _, at := range [][2]int{{-1, 0}, {0, -1}, {20, 0}, {0, 5}} {
		u.run(u.m.Update(tea.MouseMotionMsg{X: at[0], Y: at[1]}))
	}
	if got := s.sent(); got != "" {
		t.Errorf("%q was sent", got)
	}
	u.run(u.m.Update(tea.MouseMotionMsg{X: 19, Y: 4}))
	if got := s.sent(); got != "\x1b[<35;20;5M" {
		t.Errorf("%q was sent", got)
	}
}

func TestATabIsClicked(t *testing.T) {
	u, first := quiet(t, 40, 5)
	second := newSession("r", "c1", "web", 2, Shell, 40, 4, 10)
	second.state = running
	u.m.sessions = append(u.m.sessions, second)
	u.m.last["c1"] = second
	u.sees(" 1 shell  ▸2 shell 2")
	u.run(u.m.Update(tea.MouseClickMsg{X: 3, Y: 0, Button: tea.MouseLeft}))
	if u.m.shown() != first {
		t.Error("the first tab does not show the first session")
	}
	u.run(u.m.Update(tea.MouseClickMsg{X: 12, Y: 0, Button: tea.MouseLeft}))
	if u.m.shown() != second {
		t.Error("nor the second the second")
	}
	u.run(u.m.Update(tea.MouseClickMsg{X: 39, Y: 0, Button: tea.MouseLeft}))
}

func TestTitles(t *testing.T) {
	u, s := quiet(t, 20, 5)
	if u.m.Title() != "shell" {
		t.Errorf("title %q", u.m.Title())
	}
	s.output([]byte("\x1b]0;vim \x01a.txt\a"))
	if u.m.Title() != "shell · vim a.txt" {
		t.Errorf("title %q", u.m.Title())
	}
}

func TestTheClipboardOfAContainer(t *testing.T) {
	u, s := quiet(t, 20, 5)
	u.run(s.wait(0))
	s.output([]byte("\x1b]52;c;aGVsbG8=\a"))
	u.handle(<-u.msgs)
	if len(u.out) > 0 {
		t.Fatalf("%+v", u.out)
	}
	s.scr.TakeClipboard = true
	s.output([]byte("\x1b]52;c;aGVsbG8=\a"))
	if c := got[CopyMsg](u); c.Text != "hello" {
		t.Errorf("copied %q", c.Text)
	}
}

// However much comes, a session asks for a repaint sixty times a second, and
// one that is not shown twice.
func TestRepaintsAreFewAndNoneAreLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for every, most := range map[time.Duration]int{paintEvery: 63, paintHidden: 3} {
			s := newSession("1", "c", "c", 1, Shell, 80, 24, 0)
			stop := make(chan struct{})
			go func() {
				for {
					select {
					case <-stop:
						return
					case <-time.After(time.Millisecond / 4):
						s.output([]byte("x"))
					}
				}
			}()
			paints := 0
			for begin := time.Now(); time.Since(begin) < time.Second; paints++ {
				s.wait(every)()
			}
			close(stop)
			if paints > most || paints < most-3 {
				t.Errorf("every %v: %d repaints in a second", every, paints)
			}
			s.output([]byte("last"))
			begin := time.Now()
			s.wait(every)()
			if took := time.Since(begin); took > every {
				t.Errorf("the last change is shown after %v", took)
			}
		}
	})
}

// A synchronised update is shown when it is complete, or after a while.
func TestSynchronisedUpdates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSession("1", "c", "c", 1, Shell, 80, 24, 0)
		s.output([]byte("\x1b[?2026hhalf"))
		go func() {
			time.Sleep(40 * time.Millisecond)
			s.output([]byte(" whole\x1b[?2026l"))
		}()
		begin := time.Now()
		s.wait(0)()
		if took := time.Since(begin); took < 40*time.Millisecond || took > 50*time.Millisecond {
			t.Errorf("shown after %v", took)
		}
		s.output([]byte("\x1b[?2026hnever ends"))
		begin = time.Now()
		s.wait(0)()
		if took := time.Since(begin); took > holdFor+paintEvery {
			t.Errorf("one that does not end is shown after %v", took)
		}
	})
}

// failing is an engine whose calls fail in turn.
type failing struct {
	*engine
	create, attach error
	resizes        int // so many fail
}

func (f *failing) ExecCreate(ctx context.Context, id string, o client.ExecCreateOptions) (client.ExecCreateResult, error) {
	if f.create != nil {
		return client.ExecCreateResult{}, f.create
	}
	return f.engine.ExecCreate(ctx, id, o)
}

func (f *failing) ExecAttach(ctx context.Context, id string, o client.ExecAttachOptions) (client.ExecAttachResult, error) {
	if f.attach != nil {
		return client.ExecAttachResult{}, f.attach
	}
	return f.engine.ExecAttach(ctx, id, o)
}

func (f *failing) ExecResize(ctx context.Context, id string, o client.ExecResizeOptions) (client.ExecResizeResult, error) {
	f.mu.Lock()
	f.resizes--
	fail := f.resizes >= 0
	f.mu.Unlock()
	if fail {
		return client.ExecResizeResult{}, errors.New("the process is not there yet")
	}
	return f.engine.ExecResize(ctx, id, o)
}

func TestWhatTheEngineRefusesIsShown(t *testing.T) {
	for _, f := range []*failing{{create: errors.New("container is paused")}, {attach: errors.New("container is paused")}} {
		f.engine = newEngine(t)
		u := sit(t, f.engine, 120, 10)
		u.m.cfg.Engine = f
		u.run(u.m.OpenShell())
		u.sees("container is paused")
		if end := got[EndedMsg](u); end.Err == nil || !strings.Contains(end.Err.Error(), "web") {
			t.Errorf("%+v", end)
		}
	}
}

func TestAResizeThatComesTooEarlyIsRepeated(t *testing.T) {
	f := &failing{engine: newEngine(t), resizes: 4}
	u := sit(t, f.engine, 66, 11)
	u.m.cfg.Engine = f
	u.run(u.m.OpenShell())
	u.until("the size to arrive", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.sizes) > 0
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sizes[0] != "66x11" {
		t.Errorf("sizes %q", f.sizes)
	}
}

func TestAttachingToAStoppedContainer(t *testing.T) {
	u := sit(t, newEngine(t), 60, 6) // without a main process
	u.run(u.m.OpenAttach())
	u.sees("web is not running: start it first (S)")
}

func TestClosingWhileConnecting(t *testing.T) {
	u := sit(t, newEngine(t), 60, 6)
	for range 20 {
		u.run(u.m.OpenShell())
		u.leader("x")
	}
	u.m.Close()
	if u.m.Sessions("c1") != 0 {
		t.Error("sessions are left")
	}
	u.m.Close()
}

func TestKeysSayWhatWorks(t *testing.T) {
	u, _ := quiet(t, 60, 6)
	if h := u.m.Keys()[0].Help(); h.Key != "q" {
		t.Errorf("first %+v", h)
	}
	u.leader("[")
	if h := u.m.Keys()[0].Help(); h.Desc != "back to the shell" {
		t.Errorf("while looking back %+v", h)
	}
}

func TestLookingBackWithKeys(t *testing.T) {
	u, s := quiet(t, 20, 5)
	for i := range 50 {
		s.output([]byte("line " + string(rune('A'+i%26)) + "\r\n"))
	}
	u.leader("[")
	u.sees("scroll 51/51")
	u.key(tea.KeyPgUp)
	u.sees("scroll 48/51")
	u.types("gk")
	u.sees("scroll 1/51")
	u.types("jjG")
	u.sees("scroll 51/51")
	u.types("/line c\n") // small letters find capitals too
	u.sees("scroll 29/51")
	u.types("n")
	u.sees("scroll 3/51")
	u.types("n")
	u.sees("no line has line c")
	u.types("N")
	u.sees("scroll 29/51")
	u.types("/zz")
	u.sees("/zz▏")
	u.key(tea.KeyBackspace)
	u.key(tea.KeyEscape)
	u.types("vv")
	u.key(tea.KeyEscape)
	if s.view != nil {
		t.Error("still looking back")
	}
}

func TestTheLeaderIsTheUsers(t *testing.T) {
	u, s := quiet(t, 100, 6)
	keys := keymap.Default()
	for i, b := range keys {
		if b.Scope == keymap.Shell && b.Action == keymap.Leader {
			keys[i].Keys = []string{"ctrl+g"}
		}
	}
	u.m.keys = newBindings(keys)
	u.ctrl(']')
	if u.m.leader {
		t.Fatal("ctrl+] is still the leader")
	}
	u.ctrl('g')
	if got := u.m.status(s); u.m.Leader() != "ctrl+g" || !strings.HasSuffix(got, "ctrl+g itself") {
		t.Errorf("%q, %q", u.m.Leader(), got)
	}
	if _, ok := u.m.Update(tea.KeyPressMsg{Code: 'z', Text: "z"})().(ZoomMsg); !ok {
		t.Error("z after it does not zoom")
	}
}
