package paint

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/term"
)

// Raw makes a terminal hand every key over as it is pressed, unless in is none.
// The returned function, which may be called more than once, undoes that.
func Raw(in io.Reader) (restore func() error, err error) {
	f, ok := in.(term.File)
	if !ok || !term.IsTerminal(f.Fd()) {
		return func() error { return nil }, nil
	}
	was, err := term.MakeRaw(f.Fd())
	if err != nil {
		return nil, fmt.Errorf("taking over the keys of the terminal: %w", err)
	}
	return sync.OnceValue(func() error {
		if err := term.Restore(f.Fd(), was); err != nil {
			return fmt.Errorf("restoring the terminal: %w", err)
		}
		return nil
	}), nil
}

// size of terminals that do not say theirs.
const usualWidth, usualHeight = 80, 24

// Size is how many cells a terminal has.
func Size(out io.Writer) (width, height int) {
	if f, ok := out.(term.File); ok {
		if w, h, err := term.GetSize(f.Fd()); err == nil && w > 0 && h > 0 {
			return w, h
		}
	}
	return usualWidth, usualHeight
}

// Resizes reports every new size of a terminal until stop is called.
func Resizes(out io.Writer, spawn func(func()), report func(tea.Msg)) (stop func()) {
	ch, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(ch, syscall.SIGWINCH)
	spawn(func() {
		for {
			select {
			case <-ch:
				w, h := Size(out)
				report(tea.WindowSizeMsg{Width: w, Height: h})
			case <-done:
				return
			}
		}
	})
	return func() { signal.Stop(ch); close(done) }
}

// Questions asks a terminal whether it takes frames as one and measures clusters.
// Over SSH the answers may come when nobody listens any more: then nothing is asked.
func Questions(environ []string) string {
	for _, v := range environ {
		if len(v) > len("SSH_TTY=") && v[:len("SSH_TTY=")] == "SSH_TTY=" {
			return ""
		}
	}
	return ansi.RequestModeSynchronizedOutput + ansi.RequestModeUnicodeCore
}
