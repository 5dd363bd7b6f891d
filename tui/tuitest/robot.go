// Package tuitest drives a terminal program as a user does: a [Robot] runs it
// in a pseudo-terminal, presses keys, and reads the screen that an emulator
// makes of the output. Tests read as sentences:
//
//	r := tuitest.Start(t, exec.Command("berth"), 80, 24)
//	r.WaitFor("Containers")
//	r.Press("2", "E")
//	r.WaitFor("/ #")
//	r.Type("touch /tmp/here\n")
//	r.Press("ctrl+]", "q")
//	r.WaitFor("/tmp/here")
//
// Nothing sleeps: every wait is for something to be on the screen, and a wait
// that fails shows the screen.
package tuitest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"berth/tui/picture"
)

// Patience is how long a robot waits for what it was told to see. No test is about that
// time: it only ends those that would wait forever, on machines of any speed.
const Patience = time.Minute

// lingering is how long output is waited for when the program has ended.
const lingering = time.Second

// Robot is a program under test and the screen it draws on.
type Robot struct {
	t   testing.TB
	cmd *exec.Cmd
	pty *os.File

	mu      sync.Mutex // guards what follows and the emulator; a leaf
	emu     *vt.Emulator
	modes   map[ansi.Mode]bool // those that the program has set or reset
	written int64
	raw     bytes.Buffer // the newest output, for messages and checks
	changed chan struct{}

	settings unix.Termios  // of the terminal before the program
	after    unix.Termios  // and when it had ended, when exited is closed
	drained  chan struct{} // closed: all that was written has been read
	exited   chan struct{}
	err      error // of the process, when exited is closed
}

// Start runs cmd in a terminal of the given size. The program is killed at the
// end of the test if it still runs.
func Start(t testing.TB, cmd *exec.Cmd, width, height int) *Robot {
	t.Helper()
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, "TERM=xterm-256color", "COLORTERM=")
	// The other end is held until the program has ended: then its settings are still there.
	master, slave, err := pty.Open()
	if err != nil {
		t.Fatalf("opening a terminal: %v", err)
	}
	if err := pty.Setsize(master, &pty.Winsize{Cols: uint16(width), Rows: uint16(height)}); err != nil {
		t.Fatalf("sizing a terminal: %v", err)
	}
	r := &Robot{t: t, cmd: cmd, pty: master, emu: vt.NewEmulator(width, height), modes: map[ansi.Mode]bool{}, changed: make(chan struct{}), drained: make(chan struct{}), exited: make(chan struct{})}
	r.emu.SetCallbacks(vt.Callbacks{EnableMode: func(m ansi.Mode) { r.modes[m] = true }, DisableMode: func(m ansi.Mode) { r.modes[m] = false }})
	r.emu.RegisterCsiHandler('r', r.beyond)
	r.settings = r.attributes()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setsid, cmd.SysProcAttr.Setctty = true, true
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting %s in a terminal: %v", cmd, err)
	}
	go r.read()
	go r.reply()
	go func() {
		r.err = cmd.Wait()
		r.after = r.attributes()
		_ = slave.Close()
		select {
		case <-r.drained:
		case <-time.After(lingering): // a child of the program has the terminal
		}
		close(r.exited)
	}()
	t.Cleanup(r.stop)
	return r
}

// beyond takes a scroll region that was meant for a larger screen, which is
// written when the terminal has just become smaller: the emulator would scroll
// what it does not have. The frame for the new size follows.
func (r *Robot) beyond(p ansi.Params) bool {
	bottom, _, _ := p.Param(1, 0)
	return bottom > r.emu.Height()
}

// stop ends the program, at the end of the test, if it has not ended itself.
func (r *Robot) stop() {
	select {
	case <-r.exited:
	default:
		if err := r.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			r.t.Errorf("killing %s: %v", r.cmd, err)
		}
		<-r.exited
	}
	if err := r.pty.Close(); err != nil {
		r.t.Errorf("closing the terminal: %v", err)
	}
}

// read feeds the program's output to the emulator.
func (r *Robot) read() {
	defer close(r.drained)
	buf := make([]byte, 64<<10)
	for {
		n, err := r.pty.Read(buf)
		if n > 0 {
			r.mu.Lock()
			_, _ = r.emu.Write(buf[:n]) // it is the screen: what it cannot show it ignores
			r.written += int64(n)
			if r.raw.Len() > 1<<20 {
				r.raw.Next(r.raw.Len() / 2)
			}
			r.raw.Write(buf[:n])
			close(r.changed)
			r.changed = make(chan struct{})
			r.mu.Unlock()
		}
		if err != nil {
			return
		}
	}
}

// reply carries the emulator's answers (to cursor and attribute queries) to the
// program. It must always run: the emulator blocks in Write while an answer is
// not taken. It ends with the test binary, since closing the emulator while it
// is read is a race in that library.
func (r *Robot) reply() {
	buf := make([]byte, 1024)
	for {
		n, err := r.emu.Read(buf)
		if err != nil {
			return
		}
		if _, err := r.pty.Write(buf[:n]); err != nil {
			_, _ = io.Copy(io.Discard, r.emu)
			return
		}
	}
}

// Press presses keys by name: "j", "enter", "ctrl+d", "shift+tab", "down".
func (r *Robot) Press(keys ...string) {
	r.t.Helper()
	for _, k := range keys {
		seq, ok := sequence(k)
		if !ok {
			r.t.Fatalf("there is no key %q", k)
		}
		r.Type(seq)
		if k == "esc" { // a terminal cannot tell escape and then a letter from alt and the letter but by time
			r.taken()
			time.Sleep(escapeGap)
		}
	}
}

// Type sends text as it is; "\n" is not the enter key of a raw terminal, so it
// is sent as "\r".
func (r *Robot) Type(s string) {
	r.t.Helper()
	if _, err := r.pty.WriteString(strings.ReplaceAll(s, "\n", "\r")); err != nil {
		r.t.Fatalf("typing %q: %v", s, err)
	}
}

// Resize changes the size of the terminal.
func (r *Robot) Resize(width, height int) {
	r.t.Helper()
	r.mu.Lock()
	if width > 0 && height > 0 {
		r.emu.Resize(width, height)
	}
	r.mu.Unlock()
	if err := pty.Setsize(r.pty, &pty.Winsize{Cols: uint16(width), Rows: uint16(height)}); err != nil {
		r.t.Fatalf("resizing to %d×%d: %v", width, height, err)
	}
}

// Signal sends a signal to the program.
func (r *Robot) Signal(s syscall.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		r.t.Fatalf("sending %s: %v", s, err)
	}
}

// SignalChild sends signals to the first child of the program, when that is a
// shell around the one under test. All but the first may find it gone.
func (r *Robot) SignalChild(first syscall.Signal, more ...syscall.Signal) {
	r.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", r.cmd.Process.Pid))
	if err != nil {
		r.t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(string(b), &pid); err != nil {
		r.t.Fatalf("%s has no child: %v", r.cmd, err)
	}
	if err := syscall.Kill(pid, first); err != nil {
		r.t.Fatalf("sending %s to process %d: %v", first, pid, err)
	}
	for _, s := range more {
		_ = syscall.Kill(pid, s)
	}
}

// Screen is the text of the screen, a line for each row, blanks at the ends of
// rows removed.
func (r *Robot) Screen() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return screenText(r.emu)
}

// screenText reads the cells of the emulator.
func screenText(e *vt.Emulator) string {
	var b strings.Builder
	for y := range e.Height() {
		var row strings.Builder
		for x := 0; x < e.Width(); {
			c := e.CellAt(x, y)
			if c == nil || c.Content == "" {
				row.WriteByte(' ')
				x++
				continue
			}
			row.WriteString(c.Content)
			x += max(c.Width, 1)
		}
		b.WriteString(strings.TrimRight(row.String(), " "))
		b.WriteByte('\n')
	}
	return b.String()
}

// WaitFor waits until every one of the texts is on the screen.
func (r *Robot) WaitFor(texts ...string) {
	r.t.Helper()
	r.Wait(fmt.Sprintf("%q on the screen", texts), func(screen string) bool {
		for _, s := range texts {
			if !strings.Contains(screen, s) {
				return false
			}
		}
		return true
	})
}

// WaitGone waits until a text is not on the screen any more.
func (r *Robot) WaitGone(text string) {
	r.t.Helper()
	r.Wait(fmt.Sprintf("%q to go", text), func(screen string) bool { return !strings.Contains(screen, text) })
}

// Wait waits until the screen fulfils a condition, which must not use the robot;
// what names it.
func (r *Robot) Wait(what string, cond func(screen string) bool) {
	r.t.Helper()
	timeout := time.NewTimer(Patience)
	defer timeout.Stop()
	for {
		r.mu.Lock()
		ok, changed := cond(screenText(r.emu)), r.changed
		r.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-r.exited:
			r.mu.Lock()
			ok := cond(screenText(r.emu))
			r.mu.Unlock()
			if ok {
				return
			}
			r.t.Fatalf("waited for %s, and the program ended (%v); the screen is\n%s", what, r.err, r.Screen())
		case <-timeout.C:
			r.t.Fatalf("waited %s for %s; the screen is\n%s", Patience, what, r.Screen())
		}
	}
}

// Quiet waits until the program has written nothing for a while.
func (r *Robot) Quiet(d time.Duration) {
	r.t.Helper()
	deadline := time.Now().Add(Patience)
	for {
		r.mu.Lock()
		changed := r.changed
		r.mu.Unlock()
		select {
		case <-changed:
		case <-r.exited:
			return
		case <-time.After(d):
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("the program writes all the time; the screen is\n%s", r.Screen())
		}
	}
}

// WaitExit waits for the end of the program and returns its exit code.
func (r *Robot) WaitExit() int {
	r.t.Helper()
	select {
	case <-r.exited:
	case <-time.After(Patience):
		r.t.Fatalf("the program does not end; the screen is\n%s", r.Screen())
	}
	return r.cmd.ProcessState.ExitCode()
}

// Ended tells whether the program has.
func (r *Robot) Ended() bool {
	select {
	case <-r.exited:
		return true
	default:
		return false
	}
}

// Written counts the bytes that the program has written to the terminal.
func (r *Robot) Written() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.written
}

// Output is the newest part of what the program has written, at most a megabyte.
func (r *Robot) Output() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.raw.String()
}

// AltScreen tells whether the program has the alternate screen.
func (r *Robot) AltScreen() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.emu.IsAltScreen()
}

// PID is the program's process.
func (r *Robot) PID() int { return r.cmd.Process.Pid }

// Terminal is the pseudo-terminal's master, for looking at its settings.
func (r *Robot) Terminal() *os.File { return r.pty }

// Picture draws the screen as SVG.
func (r *Robot) Picture(w io.Writer, p picture.Palette) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return picture.SVG(w, r.emu, p)
}

// WaitOutput waits until the program has written something that is not on the
// screen, such as an escape sequence.
func (r *Robot) WaitOutput(sequence string) {
	r.t.Helper()
	r.Wait(fmt.Sprintf("%q in the output", sequence), func(string) bool { return bytes.Contains(r.raw.Bytes(), []byte(sequence)) })
}
