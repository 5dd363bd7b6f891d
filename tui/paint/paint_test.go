package paint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/vt"
)

// terminal takes what is written; while it is shut, writing waits.
type terminal struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	news chan struct{}
	gate chan struct{} // nil: open
}

func newTerminal() *terminal { return &terminal{news: make(chan struct{}, 1000)} }

func (t *terminal) Write(p []byte) (int, error) {
	if t.gate != nil {
		<-t.gate
	}
	t.mu.Lock()
	t.buf.Write(p)
	t.mu.Unlock()
	t.news <- struct{}{}
	return len(p), nil
}

// take returns what was written since the last time.
func (t *terminal) take() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.buf.String()
	t.buf.Reset()
	return s
}

// painted is a screen on a terminal, and its goroutine.
func painted(t *testing.T, term *terminal) *Screen {
	s := New(term, []string{"TERM=xterm-256color"}, colorprofile.TrueColor)
	var work sync.WaitGroup
	work.Go(s.Run)
	t.Cleanup(func() { _ = s.Close(); work.Wait() })
	return s
}

// lines is a frame of one line for each text, all as wide as the first.
func lines(texts ...string) tea.View {
	v := tea.NewView(strings.Join(texts, "\n"))
	v.WindowTitle = "berth"
	return v
}

func TestOnlyDifferencesAreWritten(t *testing.T) {
	term := newTerminal()
	s := painted(t, term)
	s.Show(lines("one  ", "two  ", "three"), 5, 3)
	<-term.news
	first := term.take()
	emu := vt.NewEmulator(5, 3)
	go io.Copy(io.Discard, emu) // its answers, for which it would wait
	emu.Write([]byte(first))
	if got := emu.String(); got != "one  \ntwo  \nthree" && got != "one\ntwo\nthree" {
		t.Errorf("the screen shows %q", got)
	}
	if !strings.Contains(first, "\x1b[?1049h") {
		t.Error("not on the alternate screen")
	}
	s.Show(lines("one  ", "twa  ", "three"), 5, 3)
	<-term.news
	second := term.take()
	if strings.Contains(second, "one") || strings.Contains(second, "three") || !strings.Contains(second, "a") {
		t.Errorf("for one letter: %q", second)
	}
	s.Show(lines("one  ", "twa  ", "three"), 5, 3)
	s.Say("\x1b]52;c;\a") // its arrival says that the frame before it was dealt with
	<-term.news
	if got := term.take(); got != "\x1b]52;c;\a" {
		t.Errorf("for no difference: %q", got)
	}
	s.Erase()
	s.Show(lines("one  ", "twa  ", "three"), 5, 3)
	<-term.news
	if got := term.take(); !strings.Contains(got, "one") {
		t.Errorf("a terminal that was changed from outside got %q", got)
	}
}

func TestModesAreSetAndGivenBack(t *testing.T) {
	term := newTerminal()
	s := painted(t, term)
	s.Synchronised()
	s.Clusters()
	v := lines("x")
	v.MouseMode = tea.MouseModeCellMotion
	v.Cursor = tea.NewCursor(0, 0)
	v.Cursor.Shape = tea.CursorBar
	s.Show(v, 1, 1)
	<-term.news
	on := term.take()
	for _, want := range []string{"\x1b[?2026h", "\x1b[?2026l", "\x1b[?2027h", "\x1b[?1002h", "\x1b[?1006h", "\x1b[?25h", "\x1b[?2004h", "\x1b[5 q"} {
		if !strings.Contains(on, want) {
			t.Errorf("%q is missing in %q", want, on)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	off := term.take()
	for _, want := range []string{"\x1b[?2027l", "\x1b[?1002l", "\x1b[?1006l", "\x1b[?25h", "\x1b[?2004l", "\x1b[0 q", "\x1b[?1049l", "\x1b[<1u"} {
		if !strings.Contains(off, want) {
			t.Errorf("%q is missing in %q", want, off)
		}
	}
	if err := s.Close(); err != nil || term.take() != "" {
		t.Error("a second close does something")
	}
	s.Show(lines("y"), 1, 1)
	s.Run() // returns, and writes nothing
	if got := term.take(); got != "" {
		t.Errorf("after the end: %q", got)
	}
}

func TestATerminalThatWasNeverPaintedOnStaysAlone(t *testing.T) {
	term := newTerminal()
	s := painted(t, term)
	if err := s.Close(); err != nil || term.take() != "" {
		t.Errorf("closing wrote %q, %v", term.take(), err)
	}
}

// A terminal that takes nothing holds nobody up, and shows the newest frame as
// soon as it can.
func TestASlowTerminalMissesFramesButNotTheLast(t *testing.T) {
	term := newTerminal()
	term.gate = make(chan struct{})
	s := painted(t, term)
	for i := range 1000 {
		s.Show(lines(fmt.Sprintf("%04d", i)), 10, 1)
	}
	s.Show(lines("last"), 10, 1)
	close(term.gate)
	for out := ""; !strings.Contains(out, "last"); out += term.take() {
		<-term.news
	}
	if frames := len(term.news) + 1; frames > 10 {
		t.Errorf("%d frames were written to a terminal that could take one", frames)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("gone") }

func TestATerminalThatIsGoneEndsThePainting(t *testing.T) {
	s := New(broken{}, nil, colorprofile.ANSI)
	s.Show(lines("x"), 1, 1)
	s.Run()
	if err := s.Close(); err == nil {
		t.Error("nobody was told")
	}
}
