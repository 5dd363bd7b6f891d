package tuitest

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// A program that leaves the terminal as it should not is found out, and one that
// cleans up is not.
func TestWhatAProgramLeavesIsSeen(t *testing.T) {
	sh := func(script string) *Robot {
		r := Start(t, exec.Command("sh", "-c", script), 30, 4)
		r.WaitExit()
		return r
	}
	r := sh(`printf '\033[?1049h\033[?25l\033[?1002;1006h\033[?2004h\033[>4;2m\033[>1u'; stty raw; printf done`)
	r.WaitFor("done")
	left := strings.Join(r.Disturbed(), " · ")
	for _, want := range []string{"settings", "alternate screen", "mode 25: false", "mode 1002: true", "mode 1006: true", "mode 2004: true", "kitty", "other keyboard"} {
		if !strings.Contains(left, want) {
			t.Errorf("%s is not said to be left: %s", want, left)
		}
	}
	raw := sh("stty raw")
	if said := complaint(t, raw, func() { raw.restored(0) }); !strings.Contains(said, "not as it was") {
		t.Errorf("%q", said)
	}
	r = sh(`printf '\033[?1049h\033[?25l\033[?1002;1006h\033[>4;2m'; old=$(stty -g); stty raw; stty "$old"; printf '\033[>4m\033[?1002;1006l\033[?25h\033[?1049l'`)
	r.WaitRestored()
	if left := r.Disturbed(); !slices.Equal(left, nil) {
		t.Errorf("left: %q", left)
	}
}
