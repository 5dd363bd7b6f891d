package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"berth/tui/tuitest"
)

// TestTheLogIsTheEngines: from its oldest line to its newest, what the console
// saves is byte for byte what the engine has.
func TestTheLogIsTheEngines(t *testing.T) {
	r := newRig(t)
	r.images()
	r.berth("run", "--name", "speaker", "--network", "none", "busybox", "sh", "-c",
		`printf 'the oldest\tone  \n\033[31mred\033[m \346\227\245\n\n'; printf '\377\376 not text\r\n'; seq 5000; printf 'the newest, without an end'`)
	want := r.berth("logs", "speaker")
	c := tuitest.Start(t, r.command(), 110, 32)
	c.WaitFor("○ speaker", "g for all", "the newest, without an end")
	c.Press("enter", "g")
	c.WaitFor("the oldest", "not text", "5,005 lines")
	path := filepath.Join(r.dir, "saved")
	c.Press("ctrl+s")
	c.WaitFor("save the log, all of it")
	c.Press("ctrl+u")
	c.Type(path + "\n")
	c.WaitFor("to " + path)
	got, err := os.ReadFile(path)
	if err != nil || strings.TrimSuffix(string(got), "\n") != want {
		i := 0
		for i < min(len(got), len(want)) && got[i] == want[i] {
			i++
		}
		t.Errorf("saved %d bytes, the engine has %d, %v; from byte %d on they differ: %.60q, %.60q", len(got), len(want), err, i, got[i:], want[i:])
	}
	c.Press("q", "q")
	c.WaitExit()
}

// TestWhatContainersSayIsNotObeyed: escape sequences in the names of files
// and in output do not reach the terminal of who looks at them.
func TestWhatContainersSayIsNotObeyed(t *testing.T) {
	const evil = "a\x1b]0;owned\a\x1b[5nb"
	r := newRig(t)
	r.images()
	r.berth("run", "-dit", "--name", "liar", "--network", "none", "-e", "V="+evil, "--hostname", "h", "busybox",
		"sh", "-c", "touch \"/$V\"; echo \"$V\"; exec sh")
	c := tuitest.Start(t, r.command(), 110, 32)
	c.WaitFor("● liar", "ab") // in the log
	c.Press("D")
	c.WaitFor("-rw-r--r--   ab") // the name of the file
	c.Press("esc", "q", "q")
	c.WaitExit()
	for _, bad := range []string{"\x1b]0;owned", "\x1b[5n"} {
		if strings.Contains(c.Output(), bad) {
			t.Errorf("%q was written to the terminal", bad)
		}
	}
}
