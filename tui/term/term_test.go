package term

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"berth/tui/text"
)

func TestAShellKnowsItsSizeAtOnce(t *testing.T) {
	u := sit(t, newEngine(t), 70, 20)
	u.sees("E  opens one here")
	u.run(u.m.OpenShell())
	u.types("stty size; echo $TERM\n")
	u.sees("20 70")
	u.sees("xterm-256color")
	u.m.SetSize(50, 10)
	u.types("clear; stty size\n")
	u.sees("10 50")
	u.types("exit 0\n")
	if end := got[EndedMsg](u); end.Err != nil || end.ExitCode != 0 || end.Container != "c1" {
		t.Errorf("%+v", end)
	}
	got[LeaveMsg](u)
	if u.m.Sessions("c1") != 0 {
		t.Error("the session is still there")
	}
}

func TestAnOldEngineIsToldTheSizeByTheShell(t *testing.T) {
	e := newEngine(t)
	e.version = "1.41"
	u := sit(t, e, 70, 20)
	u.run(u.m.OpenShell())
	u.prompt(1)
	e.mu.Lock()
	defer e.mu.Unlock()
	if script := e.execs["exec0"].options.Cmd[2]; !strings.HasPrefix(script, "stty rows 20 cols 70") {
		t.Errorf("script %q", script)
	}
}

func TestNoShellSaysWhy(t *testing.T) {
	e := newEngine(t)
	e.missing["sh"], e.missing["bash"] = true, true
	u := sit(t, e, 200, 24)
	u.run(u.m.OpenShell())
	u.sees("no shell could be started in web")
	u.sees(`bash: exec: "bash": executable file not found`)
	u.sees("⏎ again")
	if end := got[EndedMsg](u); end.Err == nil {
		t.Error("no error")
	}
	delete(e.missing, "sh")
	u.key(tea.KeyEnter)
	u.types("echo it$((1+1))works\n")
	u.sees("it2works")
}

func TestBashWithoutSh(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("no bash here")
	}
	e := newEngine(t)
	e.missing["sh"] = true
	u := sit(t, e, 80, 24)
	u.run(u.m.OpenShell())
	u.prompt(1)
	u.types("echo version $BASH_VERSION\n")
	u.sees("version 5")
	if strings.Contains(u.screen(), "not found") {
		t.Error("the failed attempt is on the screen")
	}
}

func TestAStoppedContainerHasNoShell(t *testing.T) {
	u := sit(t, newEngine(t), 80, 24)
	u.m.SetContainer("c1", "web", false)
	u.run(u.m.OpenShell())
	if n := got[NoticeMsg](u); n.Err == nil || !strings.Contains(n.Err.Error(), "not running") {
		t.Errorf("%+v", n)
	}
}

func TestSessionsLiveOnWhileOneLooksElsewhere(t *testing.T) {
	u := sit(t, newEngine(t), 60, 12)
	u.run(u.m.OpenShell())
	u.types("A=first; echo $A\n")
	u.sees("first   ")
	u.leader("c")
	u.types("echo sec$((0))ond\n")
	u.sees("sec0ond")
	u.sees("▸2 shell 2")
	u.m.SetContainer("c2", "db", true)
	u.sees("no shell is open in db")
	u.m.SetContainer("c1", "web", true)
	u.leader("p")
	u.types("echo still $A\n")
	u.sees("still first")
	u.types("stty size\n")
	u.sees("11 60") // one row is for the tabs
	u.leader("2")
	u.sees("sec0ond")
	u.leader("q")
	if u.m.Focused() {
		t.Error("a key that comes right after goes into the shell")
	}
	got[LeaveMsg](u)
	u.m.Focus()
	u.leader("z")
	got[ZoomMsg](u)
	u.leader("x")
	if n := u.m.Sessions("c1"); n != 1 {
		t.Errorf("%d sessions", n)
	}
	u.leader("y")
	if c := got[CopyMsg](u); !strings.Contains(c.Text, "still first") {
		t.Errorf("copied %q", c.Text)
	}
}

func TestKeysReachTheProgram(t *testing.T) {
	u := sit(t, newEngine(t), 60, 12)
	u.run(u.m.OpenShell())
	u.prompt(1)
	// Beside its prompt a shell switches bracketed paste on; only cat can say that it reads.
	u.types("printf '\\033[?2004l'; echo 'r'eady; cat -v\n")
	u.sees("ready")
	u.until("pastes without brackets", func() bool {
		s := u.m.shown()
		s.mu.Lock()
		defer s.mu.Unlock()
		return !s.scr.BracketedPaste()
	})
	u.key(tea.KeyF5)
	u.run(u.m.Update(tea.KeyPressMsg{Code: 'x', Mod: tea.ModAlt}))
	u.run(u.m.Update(tea.PasteMsg{Content: "pasted\x1b[201~ text"}))
	u.types("\n")
	u.sees("^[[15~^[xpasted[201~ text")
	u.ctrl('c')
	u.prompt(2)
	u.types("printf '\\033[?2004h\\033[?1h'; cat -v\n")
	u.until("the modes", func() bool {
		s := u.m.shown()
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.scr.BracketedPaste() && s.scr.AppCursorKeys()
	})
	u.key(tea.KeyUp)
	u.run(u.m.Update(tea.PasteMsg{Content: "two"}))
	u.types("\n")
	u.sees("^[OA^[[200~two^[[201~")
}

// Looking back stays where it is while the shell goes on printing.
func TestScrollback(t *testing.T) {
	u := sit(t, newEngine(t), 40, 10)
	u.run(u.m.OpenShell())
	u.prompt(1)
	u.types("seq 1 500\n")
	u.sees("499  ")
	u.leader("[")
	u.types("g")
	u.sees("seq 1 500")
	before := strings.Split(u.screen(), "\n")[:8]
	s := u.m.shown()
	s.output([]byte(strings.Repeat("more\r\n", 10_000-600)))
	if after := strings.Split(u.screen(), "\n")[:8]; !slices.Equal(before, after) {
		t.Errorf("the view moved:\n%s", strings.Join(after, "\n"))
	}
	u.types("/321\n")
	if s := u.screen(); strings.Contains(s, "no line has") {
		u.types("G/321\n")
	}
	u.sees("321")
	u.types("vjjy")
	if c := got[CopyMsg](u); c.Text != "321\n322\n323\n" {
		t.Errorf("copied %q", c.Text)
	}
	u.run(u.m.Update(tea.MouseWheelMsg{Button: tea.MouseWheelUp}))
	u.sees("scroll ")
	u.types("q")
	if u.m.shown().view != nil {
		t.Error("still looking back")
	}
}

func TestAttach(t *testing.T) {
	e := newEngine(t)
	received := make(chan byte, 100)
	e.main = func(conn net.Conn) {
		fmt.Fprint(conn, "main process\r\n")
		for b := make([]byte, 1); ; {
			if _, err := conn.Read(b); err != nil {
				return
			}
			received <- b[0]
		}
	}
	u := sit(t, e, 40, 10)
	u.run(u.m.OpenAttach())
	u.sees("main process")
	u.ctrl('p')
	u.types("x")
	u.until("ctrl+p x", func() bool { return len(received) == 2 })
	if a, b := <-received, <-received; a != 0x10 || b != 'x' {
		t.Errorf("received %x %x", a, b)
	}
	u.run(u.m.OpenAttach())
	if u.m.Sessions("c1") != 1 {
		t.Error("attached twice")
	}
	u.ctrl('p')
	u.ctrl('q')
	got[LeaveMsg](u)
	if u.m.Sessions("c1") != 0 {
		t.Error("still attached")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !slices.Contains(e.sizes, "40x10") {
		t.Errorf("sizes %q", e.sizes)
	}
}

// Without a terminal the streams come in frames of 8 bytes and a payload.
func TestAttachWithoutATerminal(t *testing.T) {
	e := newEngine(t)
	e.tty = false
	e.main = func(conn net.Conn) {
		for i, s := range []string{"out\n", "err\n"} {
			head := [8]byte{byte(i + 1)}
			binary.BigEndian.PutUint32(head[4:], uint32(len(s)))
			conn.Write(append(head[:], s...))
		}
		io.ReadFull(conn, make([]byte, 3))
		e.mu.Lock()
		e.main = nil // it has ended
		e.mu.Unlock()
		conn.Close()
	}
	u := sit(t, e, 40, 10)
	u.run(u.m.OpenAttach())
	u.sees("out" + strings.Repeat(" ", 37) + "\nerr")
	u.types("hi\n")
	got[EndedMsg](u)
}

func TestTheEndOfAProgramStaysOnTheScreen(t *testing.T) {
	u := sit(t, newEngine(t), 60, 10)
	u.run(u.m.OpenShell())
	u.types("echo last words; exit 7\n")
	u.sees("ended with exit status 7")
	u.sees("last words")
	u.key(tea.KeyEscape)
	got[LeaveMsg](u)
}

func TestTheMouse(t *testing.T) {
	u := sit(t, newEngine(t), 60, 10)
	u.run(u.m.OpenShell())
	u.types("printf '\\033[?1000h\\033[?1006h'; cat -v\n")
	u.until("the mouse to be wanted", u.m.WantsMouse)
	u.run(u.m.Update(tea.MouseClickMsg{X: 4, Y: 2, Button: tea.MouseLeft}))
	u.run(u.m.Update(tea.MouseMotionMsg{X: 5, Y: 2}))
	u.run(u.m.Update(tea.MouseReleaseMsg{X: 4, Y: 2, Button: tea.MouseLeft}))
	u.types("\n")
	u.sees("^[[<0;5;3M^[[<0;5;3m")
}

func TestEverySizeIsExact(t *testing.T) {
	u := sit(t, newEngine(t), 80, 24)
	check := func() {
		t.Helper()
		for _, size := range [][2]int{{0, 0}, {1, 1}, {2, 1}, {1, 5}, {13, 3}, {80, 24}, {500, 200}} {
			u.m.SetSize(size[0], size[1])
			view := u.m.View(size[0], size[1])
			if size[0] == 0 {
				continue
			}
			lines := strings.Split(view, "\n")
			if len(lines) != size[1] {
				t.Fatalf("%v: %d lines", size, len(lines))
			}
			for _, l := range lines {
				if text.Width(l) != size[0] {
					t.Fatalf("%v: %q is %d wide", size, l, text.Width(l))
				}
			}
			if c := u.m.Cursor(); c != nil && (c.X < 0 || c.Y < 0 || c.X >= size[0] || c.Y >= size[1]) {
				t.Fatalf("%v: the cursor is at %v", size, c.Position)
			}
		}
	}
	check()
	u.run(u.m.OpenShell())
	check()
	u.m.SetSize(80, 24)
	u.types("printf '\\033]0;t\\033[2J\\a日本語 👨‍👩‍👧 e\\314\\201\\n'\n")
	u.sees("日本語")
	check()
	u.leader("c")
	check()
	u.leader("[")
	check()
	u.types("q")
	u.ctrl(']')
	check()
}

// A resize storm while a program prints as fast as it can, with the race
// detector a test of the locks.
func TestAResizeStormInAFlood(t *testing.T) {
	u := sit(t, newEngine(t), 80, 24)
	u.run(u.m.OpenShell())
	u.types("yes '日本語 \x1b[31mflood\x1b[0m' | head -n 100000; echo do''ne\n")
	for i := 0; !strings.Contains(u.screen(), "done"); i++ {
		u.m.SetSize(20+i*7919%180, 4+i*104729%50)
		select {
		case msg := <-u.msgs:
			u.handle(msg)
		case <-time.After(20 * time.Second):
			t.Fatalf("no end:\n%s", u.screen())
		}
	}
}

// What a program asks the terminal is answered, however often; a program that
// reads no answers hangs nothing.
func TestAFloodOfQueries(t *testing.T) {
	u := sit(t, newEngine(t), 80, 24)
	u.run(u.m.OpenShell())
	u.types("stty -echo; i=0; while [ $i -lt 20000 ]; do printf '\\033[6n\\033[c'; i=$((i+1)); done; sleep 0.2; stty echo; echo do''ne\n")
	u.sees("done")
}

func TestMemoryIsFlatInAFlood(t *testing.T) {
	s := newSession("1", "c", "c", 1, Shell, 120, 36, 10_000)
	line := []byte(strings.Repeat("word ", 20) + "\r\n")
	for range 10_000 {
		s.output(line)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 300_000 {
		s.output(line)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 2<<20 {
		t.Errorf("%d kB more after 300,000 lines", grown>>10)
	}
	if after.HeapAlloc > 40<<20 {
		t.Errorf("%d MB in all", after.HeapAlloc>>20)
	}
}

func TestInputOfAProgramThatDoesNotReadIsBounded(t *testing.T) {
	s := newSession("1", "c", "c", 1, Shell, 80, 24, 0)
	chunk := make([]byte, 64<<10)
	for s.send(chunk) {
	}
	if n := len(s.input); n > maxInput {
		t.Errorf("%d bytes are kept", n)
	}
	s.output([]byte("\x1b[6n"))
	if n := len(s.input); n > maxInput {
		t.Error("a reply was added")
	}
}

// BenchmarkYes is a million lines through a terminal, a stream and the pane.
func BenchmarkYes(b *testing.B) {
	for b.Loop() {
		u := sit(b, newEngine(b), 80, 24)
		u.run(u.m.OpenShell())
		u.types("yes | head -n 1000000; echo do''ne\n")
		for !strings.Contains(u.screen(), "done") {
			u.handle(<-u.msgs)
		}
		u.m.Close()
	}
}
