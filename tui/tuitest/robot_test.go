package tuitest

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"berth/tui/picture"
)

func TestARobotTypesAndReads(t *testing.T) {
	r := Start(t, exec.Command("sh"), 40, 6)
	r.Type("stty size; printf '\\033[31mr''ed\\033[m\\n'\n")
	r.WaitFor("6 40", "red\n")
	r.Type("clear; stty raw -echo; printf '\\033[6n'; dd bs=1 count=6 2>&- | od -c; stty sane; printf '\\033[31mcolour'\n")
	r.WaitFor("033   [   1   ;   1   R", "lour#") // the emulator answered the query
	var svg strings.Builder
	if err := r.Picture(&svg, picture.Dark); err != nil || !strings.Contains(svg.String(), picture.Dark.Colours[1]) {
		t.Errorf("picture: %v", err)
	}
	before := r.Written()
	r.Resize(60, 10)
	r.Type("clear; stty size\n")
	r.WaitFor("10 60")
	if r.Written() <= before || !strings.Contains(r.Output(), "10 60") || r.AltScreen() {
		t.Error("output is not kept")
	}
	r.Type("printf '\\033[?1049hother'\n")
	r.Wait("the alternate screen", func(string) bool { return r.emu.IsAltScreen() })
	r.Type("clear\n")
	r.WaitGone("other")
	r.Press("ctrl+d")
	if code := r.WaitExit(); code != 0 {
		t.Errorf("exit %d", code)
	}
}

func TestSignalsReachTheProgram(t *testing.T) {
	r := Start(t, exec.Command("sh", "-c", "trap 'exit 7' TERM; echo ready; while :; do sleep 0.05; done"), 20, 3)
	r.WaitFor("ready")
	r.Signal(syscall.SIGTERM)
	if code := r.WaitExit(); code != 7 {
		t.Errorf("exit %d", code)
	}
}

func TestKeys(t *testing.T) {
	for key, want := range map[string]string{"j": "j", "ctrl+a": "\x01", "ctrl+]": "\x1d", "down": "\x1b[B", "alt+b": "\x1bb", "日": "日"} {
		if got, ok := sequence(key); !ok || got != want {
			t.Errorf("%s: %q, %v", key, got, ok)
		}
	}
	if _, ok := sequence("nokey"); ok {
		t.Error("nokey is a key")
	}
}
