package tuitest

import (
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// named are the keys that are not a letter, as xterm sends them.
var named = map[string]string{
	"enter": "\r", "tab": "\t", "esc": "\x1b", "space": " ", "backspace": "\x7f",
	"up": "\x1b[A", "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D",
	"home": "\x1b[H", "end": "\x1b[F", "pgup": "\x1b[5~", "pgdown": "\x1b[6~", "delete": "\x1b[3~",
	"shift+tab": "\x1b[Z", "shift+up": "\x1b[1;2A", "shift+down": "\x1b[1;2B",
	"f1": "\x1bOP", "f2": "\x1bOQ", "f3": "\x1bOR", "f4": "\x1bOS",
	"f7": "\x1b[18~", "f8": "\x1b[19~", "f9": "\x1b[20~",
	"ctrl+]": "\x1d", "ctrl+space": "\x00", "ctrl+left": "\x1b[1;5D", "ctrl+right": "\x1b[1;5C",
}

// sequence is what a terminal sends for a key.
func sequence(key string) (string, bool) {
	if s, ok := named[key]; ok {
		return s, true
	}
	if letter, ok := strings.CutPrefix(key, "ctrl+"); ok && len(letter) == 1 && letter[0] >= 'a' && letter[0] <= 'z' {
		return string(rune(letter[0] - 'a' + 1)), true
	}
	if letter, ok := strings.CutPrefix(key, "alt+"); ok {
		s, ok := sequence(letter)
		return "\x1b" + s, ok
	}
	return key, len([]rune(key)) == 1
}

// escapeGap is longer than a program waits for what may follow an escape.
const escapeGap = 80 * time.Millisecond

// taken waits until the program has read what was typed, or has ended. One that
// hangs is made to say where.
func (r *Robot) taken() {
	r.t.Helper()
	peer, _, errno := unix.Syscall(unix.SYS_IOCTL, r.pty.Fd(), unix.TIOCGPTPEER, unix.O_RDONLY|unix.O_NOCTTY|unix.O_CLOEXEC)
	if errno != 0 {
		r.t.Fatalf("open the program's terminal: %v", errno)
	}
	defer unix.Close(int(peer))
	for end := time.Now().Add(Patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if n, err := unix.IoctlGetInt(int(peer), unix.TIOCINQ); err != nil || n == 0 || r.Ended() {
			return
		}
	}
	screen := r.Screen()
	r.Signal(syscall.SIGQUIT)
	r.WaitExit()
	r.t.Fatalf("the program does not read its keys; the screen was\n%s\nand then it said\n%s", screen, r.Output())
}
