package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"berth/tui/keymap"
)

// stormKeys are all keys that mean something, and some that mean nothing. Without
// the slash no path outside of the test's directory can be written in a prompt.
var stormKeys = func() []string {
	var keys []string
	for _, b := range keymap.Default() {
		for _, k := range b.Keys {
			if k != "/" && k != "ctrl+@" && k != "q" && k != "ctrl+c" {
				keys = append(keys, k)
			}
		}
	}
	keys = append(keys, "enter", "enter", "enter", "esc", "esc", "ctrl+]", "ctrl+]", "q", "a", "z", "1", "9", ".", "*", "日", "backspace", "ctrl+w", "y", "n", "|", "alt+b", "f7", "ctrl+left")
	return keys
}()

// stormTexts are what is typed or pasted at once, and what terminals say unasked:
// answers, keys of other protocols, the mouse, things cut off and things too long.
var stormTexts = []string{
	"/we\x1b", "/!~(\x1b", ":stop\r", ":prune\x1b", "echo $((1+1))\r", "exec vi\r", "\x1b[200~pa\x1b[31mste\n日本\x1b[201~",
	"\x1b[I", "\x1b[O", "\x1b[97;5u", "\x1b[27;5;99~", "\x1b[?62;22c", "\x1b[?2026;2$y", "\x1b[?2027;1$y", "\x1b]11;rgb:ffff/ffff/ffff\a", "\x1b]11;rgb:0000", "\x1b[", "\x1bO", "\x1b",
	"\x1bP>|x\x1b\\", "\x1b[1;1R", "\x1b[M !!", "\xff\xfe", "\xe6\x97", "\x00", "\x1b[<0;0;0M", "\x1b[<99;999999;999999M", "\x1b[200~\x1b[201~", "👩‍👩‍👧‍👦", "e\u0301",
	"\x1b[<" + strings.Repeat("9", 300) + "M", strings.Repeat("k", 500),
}

// presses does n random things to the console.
func (s *storm) presses(n int) {
	for range n {
		if s.ended() {
			return
		}
		s.keys++
		switch s.rnd.IntN(20) {
		case 0, 1:
			w, h := s.rnd.IntN(230), s.rnd.IntN(70)
			s.done = append(s.done, fmt.Sprintf("%d×%d", w, h))
			s.robot.Resize(w, h)
		case 2, 3:
			s.text(fmt.Sprintf("\x1b[<%d;%d;%d%c", []int{0, 0, 0, 2, 64, 65, 32, 35}[s.rnd.IntN(8)], s.rnd.IntN(140), s.rnd.IntN(40), "Mm"[s.rnd.IntN(2)]))
		case 4:
			s.text(stormTexts[s.rnd.IntN(len(stormTexts))])
		default:
			k := stormKeys[s.rnd.IntN(len(stormKeys))]
			s.done = append(s.done, k)
			s.robot.Press(k)
		}
	}
}

func (s *storm) text(text string) {
	s.done = append(s.done, fmt.Sprintf("%q", text))
	s.robot.Type(text)
}

// fault does something to the engine, and returns what undoes it.
func (s *storm) fault() (mend func()) {
	pids := s.rig.processes("serve")
	if len(pids) == 0 { // the console has it
		return func() {}
	}
	each := func(sig syscall.Signal) {
		for _, pid := range pids {
			syscall.Kill(pid, sig)
		}
	}
	n := s.rnd.IntN(8)
	names := []string{"KILL", "STOP", "TERM", "cut off", "KILL twice", "container dies"}
	if n >= len(names) {
		return func() {}
	}
	s.faults++
	s.done = append(s.done, "<"+names[n]+">")
	switch n {
	case 0:
		each(syscall.SIGKILL)
	case 1:
		each(syscall.SIGSTOP)
		return func() {
			time.Sleep(time.Duration(s.rnd.IntN(1500)) * time.Millisecond) // how long it hangs
			s.done = append(s.done, "<CONT>")
			each(syscall.SIGCONT)
		}
	case 2:
		each(syscall.SIGTERM)
	case 3:
		return s.cutOff()
	case 4:
		each(syscall.SIGKILL)
		return func() {
			pids = s.rig.processes("serve")
			each(syscall.SIGKILL)
		}
	case 5:
		s.rig.try("kill", strings.Fields(s.rig.berth("ps", "-q") + " none")[0])
	}
	return func() {}
}

// cutOff takes the engine's socket away for a while.
func (s *storm) cutOff() (mend func()) {
	path := s.rig.conf.SocketPath()
	if err := os.Rename(path, path+".away"); err != nil {
		return func() {} // an engine is just beginning
	}
	return func() {
		s.done = append(s.done, "<back>")
		if _, err := os.Stat(path); err == nil {
			err = os.Remove(path + ".away") // another engine has made its own
			if err != nil {
				s.t.Fatal(err)
			}
			return
		}
		if err := os.Rename(path+".away", path); err != nil && !os.IsNotExist(err) {
			s.t.Fatal(err)
		}
	}
}
