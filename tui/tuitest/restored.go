package tuitest

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/charmbracelet/x/ansi"
	"golang.org/x/sys/unix"
)

// usual are the modes that a terminal has when nobody has touched it.
var usual = map[ansi.Mode]bool{ansi.ModeAutoWrap: true, ansi.ModeTextCursorEnable: true}

// pairs are what sets something that the emulator does not keep, and what
// resets it: the keyboard's protocols.
var pairs = map[string][2]string{
	"the kitty keyboard":     {"\x1b[>1u", "\x1b[<1u"},
	"keys of other keyboard": {"\x1b[>4;2m", "\x1b[>4m"},
}

// Disturbed names what is not as it was when the program was started: the
// settings of the terminal (stty -a), its screen, its cursor, its mouse and
// other modes. A program that has ended leaves nothing.
func (r *Robot) Disturbed() []string {
	r.t.Helper()
	var out []string
	var now unix.Termios
	if r.Ended() {
		now = r.after
	} else {
		now = r.attributes()
	}
	if now != r.settings {
		out = append(out, fmt.Sprintf("settings %+v, before %+v", now, r.settings))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.emu.IsAltScreen() {
		out = append(out, "alternate screen")
	}
	for m, on := range r.modes {
		if on != usual[m] {
			out = append(out, fmt.Sprintf("mode %d: %t", m.Mode(), on))
		}
	}
	for what, p := range pairs {
		if bytes.LastIndex(r.raw.Bytes(), []byte(p[0])) > bytes.LastIndex(r.raw.Bytes(), []byte(p[1])) {
			out = append(out, what)
		}
	}
	slices.Sort(out)
	return out
}

// attributes are the settings of the terminal now.
func (r *Robot) attributes() unix.Termios {
	a, err := unix.IoctlGetTermios(int(r.pty.Fd()), unix.TCGETS)
	if err != nil {
		r.t.Errorf("reading the settings of the terminal: %v", err)
		return unix.Termios{}
	}
	return *a
}

// WaitRestored waits until the terminal is as it was before the program.
func (r *Robot) WaitRestored() {
	r.t.Helper()
	r.restored(Patience)
}

func (r *Robot) restored(patience time.Duration) {
	r.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		r.mu.Lock()
		changed := r.changed
		r.mu.Unlock()
		left := r.Disturbed()
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("the terminal is not as it was: %q", left)
		}
		select {
		case <-changed:
		case <-time.After(time.Second / 10): // its settings change without a word
		}
	}
}
