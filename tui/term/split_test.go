package term

import (
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"berth/tui/text"
)

// Two shells side by side: each terminal has the size of its half, the keys go
// to one of them, and closing one gives its room back.
func TestTwoShellsSideBySide(t *testing.T) {
	u := sit(t, newEngine(t), 81, 12)
	u.run(u.m.OpenShell())
	u.types("stty size\n")
	u.sees("12 81")
	u.leader("|")
	u.types("clear; stty size; echo ri$((0))ght\n")
	u.sees("11 40")
	u.sees("ri0ght")
	u.leader("h")
	u.types("clear; stty size; echo le$((0))ft\n")
	u.sees("le0ft")
	if screen := u.screen(); !strings.Contains(screen, "ri0ght") || !strings.Contains(screen, "│") || strings.Index(screen, "le0ft") > strings.Index(screen, "│")+2*82*3 {
		t.Errorf("not side by side:\n%s", screen)
	}
	if c := u.m.Cursor(); c == nil || c.X >= 40 {
		t.Errorf("the cursor of the left half: %+v", c)
	}
	u.leader("l")
	if c := u.m.Cursor(); c == nil || c.X <= 40 {
		t.Errorf("the cursor of the right half: %+v", c)
	}
	u.run(u.m.Update(tea.KeyPressMsg{Code: ']', Mod: tea.ModCtrl}))
	u.run(u.m.Update(tea.KeyPressMsg{Code: tea.KeyTab}))
	if u.m.shown() != u.m.sessions[0] {
		t.Error("tab does not go to the other half")
	}
	u.run(u.m.Update(tea.MouseClickMsg{X: 60, Y: 5, Button: tea.MouseLeft}))
	if u.m.shown() != u.m.sessions[1] {
		t.Error("a click does not go to the half under it")
	}
	u.leader("x")
	if n := u.m.Sessions("c1"); n != 1 {
		t.Fatalf("%d sessions", n)
	}
	u.types("clear; while [ \"$(stty size)\" = \"11 40\" ]; do sleep 0.05; done; stty size\n") // it is told a moment later
	u.sees("12 81")
	if strings.Contains(u.screen(), "│") {
		t.Error("the line between the halves is still there")
	}
}

func TestASplitIsUndoneAndKeepsBoth(t *testing.T) {
	u := sit(t, newEngine(t), 61, 10)
	u.run(u.m.OpenShell())
	u.prompt(1)
	u.leader("|")
	u.leader("c") // a third one takes the place of the half with the keys
	p := u.m.split["c1"]
	if u.m.Sessions("c1") != 3 || p[0] != u.m.sessions[0] || p[1] != u.m.sessions[2] {
		t.Errorf("%d sessions, halves %v", u.m.Sessions("c1"), p)
	}
	u.leader("1") // drawn already: it gets the keys
	if p := u.m.split["c1"]; u.m.shown() != u.m.sessions[0] || p[1] != u.m.sessions[2] {
		t.Error("what is drawn already was put elsewhere")
	}
	u.leader("|")
	if _, split := u.m.split["c1"]; split || u.m.Sessions("c1") != 3 {
		t.Errorf("still split, or %d sessions", u.m.Sessions("c1"))
	}
	if w, _ := u.m.sessions[0].size(); w != 61 {
		t.Errorf("the one that is left is %d wide", w)
	}
	u.m.Close()
	if len(u.m.split) != 0 {
		t.Error("a closed pane is split")
	}
}

// A focus that moves between the halves is told to programs that want to know.
func TestHalvesHearOfTheFocus(t *testing.T) {
	u, left := quiet(t, 41, 6)
	right := newSession("r", "c1", "web", 2, Shell, 20, 6, 100)
	right.state = running
	u.m.sessions = append(u.m.sessions, right)
	u.m.split["c1"] = pair{left, right}
	u.m.Focus()
	left.output([]byte("\x1b[?1004h"))
	right.output([]byte("\x1b[?1004h"))
	left.sent()
	u.leader("l")
	if a, b := left.sent(), right.sent(); a != "\x1b[O" || b != "\x1b[I" {
		t.Errorf("left heard %q, right %q", a, b)
	}
}

// Every size of a split pane is exact; where halves would be too narrow, the one
// with the keys has all of it.
func TestEverySizeOfASplitPaneIsExact(t *testing.T) {
	u, left := quiet(t, 41, 6)
	right := newSession("r", "c1", "web", 2, Shell, 20, 6, 100)
	right.state = running
	u.m.sessions = append(u.m.sessions, right)
	u.m.split["c1"] = pair{left, right}
	left.output([]byte("日本語 left\r\n"))
	right.output([]byte("right 👩‍👩‍👧 日本語"))
	for w := 1; w < 60; w++ {
		for h := 1; h < 6; h++ {
			u.m.SetSize(w, h)
			lines := strings.Split(u.m.View(w, h), "\n")
			if len(lines) != h {
				t.Fatalf("%d lines of %d×%d", len(lines), w, h)
			}
			for i, l := range lines {
				if text.Width(l) != w {
					t.Fatalf("%d×%d: line %d is %d wide: %q", w, h, i, text.Width(l), l)
				}
			}
			if halves := len(u.m.halves()); (halves == 2) != (w >= 21) {
				t.Fatalf("%d halves at %d columns", halves, w)
			}
		}
	}
}
