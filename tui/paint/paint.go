// Package paint writes frames to a terminal the moment they are there.
//
// Bubble Tea's own renderer looks for a new frame at a fixed rate: a slow rate
// makes keys wait, a quick one costs an idle program a processor's attention a
// hundred times a second. Here a goroutine sleeps until there is a frame, and
// writes what differs from the one before. A terminal that takes its time
// misses frames, never the last one; nobody else waits for it.
//
// Screen is the terminal's picture and modes, Pace decides which states of a
// program become frames, Raw is the mode that a terminal has to be in.
package paint

import (
	"bytes"
	"fmt"
	"io"
	"sync"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"
)

// frame is one picture, and the size it was made for.
type frame struct {
	view          tea.View
	width, height int
}

// Screen is a terminal that is painted on. Lock order: drawing before mu.
type Screen struct {
	out  io.Writer
	wake chan struct{} // of capacity 1
	done chan struct{}

	mu     sync.Mutex // what waits to be written
	next   *frame
	said   []byte
	erase  bool // the terminal is not as it was left
	sync   bool // it can take a frame as one
	wide   bool // it measures clusters
	closed bool

	drawing sync.Mutex // what the terminal shows
	scr     *uv.TerminalRenderer
	buf     bytes.Buffer // what scr has written
	cells   uv.ScreenBuffer
	shown   *frame // nil: the main screen
	grown   bool   // clusters are on
	sized   [2]int // what scr was told
}

// New is a screen on a terminal that shows its main screen.
func New(out io.Writer, environ []string, profile colorprofile.Profile) *Screen {
	s := &Screen{out: out, wake: make(chan struct{}, 1), done: make(chan struct{}), cells: uv.NewScreenBuffer(0, 0)}
	s.scr = uv.NewTerminalRenderer(&s.buf, environ)
	s.scr.SetColorProfile(profile)
	s.scr.SetBackspace(true)
	s.scr.SetTabStops(-1)
	s.scr.SetScrollOptim(true)
	return s
}

// Show makes a view the newest frame. It does not wait.
func (s *Screen) Show(v tea.View, width, height int) {
	s.mu.Lock()
	s.next = &frame{v, width, height}
	s.mu.Unlock()
	s.poke()
}

// Say writes a sequence that paints nothing, such as one that fills the clipboard.
func (s *Screen) Say(sequence string) {
	s.mu.Lock()
	s.said = append(s.said, sequence...)
	s.mu.Unlock()
	s.poke()
}

// Erase has the next frame painted whole: the terminal was changed from outside.
func (s *Screen) Erase() {
	s.mu.Lock()
	s.erase = true
	s.mu.Unlock()
}

// Synchronised: the terminal can take a frame as one (mode 2026).
func (s *Screen) Synchronised() {
	s.mu.Lock()
	s.sync = true
	s.mu.Unlock()
}

// Clusters: the terminal can measure text by clusters (mode 2027).
func (s *Screen) Clusters() {
	s.mu.Lock()
	s.wide = true
	s.mu.Unlock()
}

func (s *Screen) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run writes frames until the screen is closed or cannot be written to.
func (s *Screen) Run() {
	for {
		select {
		case <-s.wake:
		case <-s.done:
			return
		}
		s.drawing.Lock()
		err := s.draw()
		s.drawing.Unlock()
		if err != nil {
			return // it has gone away, and a signal says so to who has to know
		}
	}
}

// draw writes what waits. The lock of drawing is held.
func (s *Screen) draw() error {
	s.mu.Lock()
	f, said, erase, sync, wide, closed := s.next, s.said, s.erase, s.sync, s.wide, s.closed
	s.next, s.said = nil, nil
	if f != nil {
		s.erase = false
	}
	s.mu.Unlock()
	if closed {
		return nil
	}
	var out bytes.Buffer
	if f != nil && (erase || s.shown == nil || !same(f, s.shown)) {
		s.paint(&out, f, erase, sync, wide)
	}
	out.Write(said)
	if out.Len() == 0 {
		return nil
	}
	if _, err := s.out.Write(out.Bytes()); err != nil {
		return fmt.Errorf("writing to the terminal: %w", err)
	}
	return nil
}

// same tells whether two frames look the same.
func same(a, b *frame) bool {
	if a.width != b.width || a.height != b.height || a.view.Content != b.view.Content ||
		a.view.MouseMode != b.view.MouseMode || a.view.WindowTitle != b.view.WindowTitle {
		return false
	}
	ca, cb := a.view.Cursor, b.view.Cursor
	return ca == cb || ca != nil && cb != nil && *ca == *cb
}

// paint appends what turns the frame that is shown into f.
func (s *Screen) paint(out *bytes.Buffer, f *frame, erase, sync, wide bool) {
	last := s.shown
	s.shown = f
	if last == nil {
		s.enter(out)
		last = &frame{}
	}
	if wide && !s.grown {
		s.grown = true
		s.cells.Method = ansi.GraphemeWidth
		out.WriteString(ansi.SetModeUnicodeCore)
	}
	if last.view.MouseMode != f.view.MouseMode {
		out.WriteString(mouse(f.view.MouseMode))
	}
	if last.view.WindowTitle != f.view.WindowTitle {
		out.WriteString(ansi.SetWindowTitle(f.view.WindowTitle))
	}
	s.fill(f, erase)
	s.scr.Render(s.cells.RenderBuffer)
	cur, old := f.view.Cursor, last.view.Cursor
	if cur != nil {
		s.scr.MoveTo(cur.X, cur.Y)
		if old == nil || cur.Shape != old.Shape || cur.Blink != old.Blink {
			out.WriteString(ansi.SetCursorStyle(style(cur)))
		}
	}
	_ = s.scr.Flush() // into buf, which takes everything
	s.wrap(out, cur != nil, old != nil, sync)
}

// fill makes the cells those of a frame.
func (s *Screen) fill(f *frame, erase bool) {
	area := uv.Rect(0, 0, f.width, f.height)
	if size := [2]int{f.width, f.height}; erase || size != s.sized {
		s.sized = size
		// A frame that was on its way when the terminal changed its size may have
		// left it a scroll region of the old size. That goes with what the
		// renderer writes first, while it does not know where the cursor is.
		_, _ = s.scr.WriteString(ansi.SetTopBottomMargins(0, 0))
		s.scr.Erase()
		s.scr.Resize(f.width, f.height)
	}
	if area != s.cells.Bounds() {
		s.cells.Touched = nil
		s.cells.Resize(f.width, f.height)
	}
	s.cells.Clear()
	uv.NewStyledString(f.view.Content).Draw(s.cells, area)
}

// wrap appends what scr has written, so that no half frame and no wandering
// cursor is seen.
func (s *Screen) wrap(out *bytes.Buffer, cursor, had, sync bool) {
	news := s.buf.Len() > 0
	if news && sync {
		out.WriteString(ansi.SetModeSynchronizedOutput)
	}
	if had && (!cursor || news && !sync) {
		out.WriteString(ansi.ResetModeTextCursorEnable)
		had = false
	}
	out.Write(s.buf.Bytes())
	s.buf.Reset()
	if cursor && !had {
		out.WriteString(ansi.SetModeTextCursorEnable)
	}
	if news && sync {
		out.WriteString(ansi.ResetModeSynchronizedOutput)
	}
}

// enter goes to the alternate screen and asks for keys that can be told apart.
func (s *Screen) enter(out *bytes.Buffer) {
	s.scr.EnterAltScreen()
	s.scr.SetPosition(-1, -1)
	_ = s.scr.Flush()
	out.Write(s.buf.Bytes())
	s.buf.Reset()
	out.WriteString(ansi.ResetModeTextCursorEnable + ansi.SetModeBracketedPaste + ansi.SetModifyOtherKeys2 + ansi.PushKittyKeyboard(ansi.KittyDisambiguateEscapeCodes))
}

// mouse is what makes a terminal report the mouse as wanted.
func mouse(m tea.MouseMode) string {
	const off = ansi.ResetModeMouseButtonEvent + ansi.ResetModeMouseAnyEvent
	switch m {
	case tea.MouseModeCellMotion:
		return off + ansi.SetModeMouseButtonEvent + ansi.SetModeMouseExtSgr
	case tea.MouseModeAllMotion:
		return off + ansi.SetModeMouseAnyEvent + ansi.SetModeMouseExtSgr
	}
	return off + ansi.ResetModeMouseExtSgr
}

// style is DECSCUSR's number of a cursor.
func style(c *tea.Cursor) int {
	n := int(c.Shape)*2 + 1
	if !c.Blink {
		n++
	}
	return n
}

// Close gives the terminal its main screen and its modes back. It may be called
// more than once, and by whoever finds that the program ends.
func (s *Screen) Close() error {
	s.mu.Lock()
	was := s.closed
	s.closed = true
	said := s.said
	s.mu.Unlock()
	if was {
		return nil
	}
	close(s.done)
	s.drawing.Lock()
	defer s.drawing.Unlock()
	var out bytes.Buffer
	out.Write(said)
	if s.shown != nil {
		s.leave(&out)
	}
	if out.Len() == 0 {
		return nil
	}
	if _, err := s.out.Write(out.Bytes()); err != nil {
		return fmt.Errorf("restoring the terminal: %w", err)
	}
	return nil
}

// leave undoes all that frames have set.
func (s *Screen) leave(out *bytes.Buffer) {
	v := s.shown.view
	out.WriteString(ansi.ResetModifyOtherKeys + ansi.PopKittyKeyboard(1) + ansi.ResetModeBracketedPaste)
	if v.MouseMode != tea.MouseModeNone {
		out.WriteString(mouse(tea.MouseModeNone))
	}
	if v.WindowTitle != "" {
		out.WriteString(ansi.SetWindowTitle(""))
	}
	if s.grown {
		out.WriteString(ansi.ResetModeUnicodeCore)
	}
	out.WriteString(ansi.SetTopBottomMargins(0, 0) + ansi.SetCursorStyle(0) + ansi.ResetStyle + ansi.CursorPosition(1, s.shown.height) +
		ansi.ResetModeAltScreenSaveCursor + ansi.SetModeTextCursorEnable)
}
