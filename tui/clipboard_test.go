package tui

import (
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"berth/tui/paint"
)

// desktop is a machine with one clipboard program, and the file that it fills.
func desktop(t *testing.T, program, script string) (file string) {
	t.Helper()
	dir := t.TempDir()
	file = filepath.Join(dir, "clipboard")
	if err := os.WriteFile(filepath.Join(dir, program), []byte("#!/bin/sh\n{ "+script+"; } >"+file+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	return file
}

// outcome runs a command, and those of a batch, and takes in what they say.
func outcome(m *model, cmd tea.Cmd) (said []tea.Msg) {
	if cmd == nil {
		return nil
	}
	msg := cmd()
	if batch, ok := msg.(tea.BatchMsg); ok {
		for _, c := range batch {
			said = append(said, outcome(m, c)...)
		}
		return said
	}
	send(m, msg)
	return append(said, msg)
}

func TestADesktopsClipboardIsFilledToo(t *testing.T) {
	file := desktop(t, "xclip", `cat; echo " $*"`)
	m := offline(t, 120, 36)
	m.opt.Environ = append(os.Environ(), "WAYLAND_DISPLAY=", "DISPLAY=:9")
	said := outcome(m, m.copy("two lines", "a\nb"))
	if !slices.Contains(said, tea.Msg(paint.Clip("a\nb"))) {
		t.Error("the terminal was not asked")
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "a\nb -selection clipboard\n" {
		t.Errorf("xclip got %q, %v", got, err)
	}
	shows(t, m, "copied two lines (xclip, and OSC 52)")
}

func TestWhatCouldNotBeCopiedIsSaid(t *testing.T) {
	desktop(t, "wl-copy", "exit 3")
	m := offline(t, 120, 36)
	m.opt.Environ = append(os.Environ(), "WAYLAND_DISPLAY=wayland-0", "DISPLAY=")
	outcome(m, m.copy("web", "web"))
	shows(t, m, "copied web to the terminal (OSC 52); wl-copy: exit status 3")
	m.opt.Environ = []string{"WAYLAND_DISPLAY=", "DISPLAY="} // no desktop, as over ssh
	outcome(m, m.copy("db", "db"))
	shows(t, m, "copied db to the terminal (OSC 52)")
	m.say("something newer")
	send(m, copied{what: "db"})
	shows(t, m, "something newer")
}

// pull moves the mouse from one cell to another with the button down, and lets it go.
func pull(m *model, from, to image.Point) (held string, released tea.Cmd) {
	send(m, tea.MouseClickMsg{X: from.X, Y: from.Y, Button: tea.MouseLeft}, tea.MouseMotionMsg{X: to.X, Y: to.Y, Button: tea.MouseLeft})
	held = strings.Join(m.lines(), "\n")
	return held, m.mouse(tea.MouseReleaseMsg{X: to.X, Y: to.Y, Button: tea.MouseLeft})
}

func TestTheMouseSelectsAndCopiesALog(t *testing.T) {
	m := offline(t, 120, 36)
	press(m, "j", "j", "j")
	m.logs.Reset(m.logSources(), m.logs.Stream, true)
	m.logs.Append(manyLines(60))
	m.lines()
	if !m.pager().Follows() {
		t.Fatal("the log is not followed")
	}
	last, before := place(t, m, "line 59"), place(t, m, "line 58")
	held, cmd := pull(m, before, last.Add(image.Pt(6, 0)))
	if m.hint != "copied 2 lines" || !strings.Contains(held, string(m.theme.Cursor)+"line 59") {
		t.Errorf("%q\n%s", m.hint, held)
	}
	if said := outcome(m, cmd); !slices.Contains(said, tea.Msg(paint.Clip("line 58 of a log with some text in it, as logs have, 日本語 and more, so that it is longer than a pane 58\nline 59"))) {
		t.Errorf("copied %q", said)
	}
	if !m.pager().Follows() {
		t.Error("the log does not go on")
	}
	// Backwards, and out of the pane: what is inside counts.
	if _, cmd = pull(m, last.Add(image.Pt(3, 0)), image.Pt(0, last.Y)); cmd == nil || m.hint != "copied line" {
		t.Errorf("backwards: %q", m.hint)
	}
	m.hint = ""
	if _, cmd = pull(m, last, last); cmd != nil || m.hint != "" || m.drag.on {
		t.Errorf("a click copied: %q", m.hint)
	}
}

func TestOnlyTextIsSelected(t *testing.T) {
	m := offline(t, 120, 36)
	if _, cmd := pull(m, place(t, m, "Containers 12"), place(t, m, "Images 8")); cmd != nil || m.drag.on {
		t.Error("lists were copied")
	}
	press(m, "D")
	at := m.screen().Detail.Min.Add(image.Pt(3, 3))
	if _, cmd := pull(m, at, at.Add(image.Pt(20, 3))); cmd != nil || m.drag.on {
		t.Error("the browser was copied")
	}
}
