package paint

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/charmbracelet/x/term"
)

// Suspend gives the terminal its main screen and its modes, runs something that wants
// it for itself, and takes it back. Frames made meanwhile are not written; the newest
// is painted whole afterwards.
func (s *Screen) Suspend(run func() error) error {
	s.drawing.Lock()
	defer s.drawing.Unlock()
	var out bytes.Buffer
	if s.shown != nil {
		s.leave(&out)
		s.scr.ExitAltScreen()
		_ = s.scr.Flush() // into buf, which takes everything; leave has said it
		s.buf.Reset()
	}
	if _, err := s.out.Write(out.Bytes()); err != nil {
		return fmt.Errorf("leaving the terminal to a command: %w", err)
	}
	s.shown, s.grown, s.sized = nil, false, [2]int{}
	defer s.poke()
	return run()
}

// Keeping runs something that may change the mode of a terminal, and restores it.
func Keeping(in io.Reader, run func() error) error {
	f, ok := in.(term.File)
	if !ok || !term.IsTerminal(f.Fd()) {
		return run()
	}
	was, err := term.GetState(f.Fd())
	if err != nil {
		return fmt.Errorf("asking for the mode of the terminal: %w", err)
	}
	err = run()
	if again := term.Restore(f.Fd(), was); again != nil {
		return errors.Join(err, fmt.Errorf("taking the terminal back: %w", again))
	}
	return err
}
