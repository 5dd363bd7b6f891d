package main

import (
	"strings"
	"testing"

	"berth/tui/tuitest"
)

// TestPlainMode is the console as a talk, on a terminal that can do nothing.
func TestPlainMode(t *testing.T) {
	r := newRig(t)
	r.images()
	cmd := r.command()
	cmd.Args = []string{"env", "TERM=dumb", cmd.Path} // the robot's terminal is a better one
	cmd.Path = "/usr/bin/env"
	c := tuitest.Start(t, cmd, 100, 60)
	// Typed too early, a line would be for the program that still runs.
	say := func(line string, answers ...string) {
		t.Helper()
		c.Wait("a question", func(screen string) bool {
			screen = strings.TrimSpace(screen)
			return strings.HasSuffix(screen, "berth>") || strings.HasSuffix(screen, "no:") || strings.HasSuffix(screen, "/ #")
		})
		c.Type(line + "\n")
		c.WaitFor(answers...)
	}
	c.WaitFor("This terminal calls itself dumb", "0 of 0 containers run. Type help", "A first one: image starter makes")
	say("containers", "No containers.")
	say("run -d --name web berth/starter sh -c 'echo hello; sleep 600'", "Done.")
	say("containers", "1. web: Up", "image berth/starter.")
	say("logs 1", "hello")
	say("shell web", "/ #")
	say("echo in-$((1+1)); exit", "in-2")
	say("kill 1", "Really kill web? Type yes or no:")
	say("no", "Left as it is.")
	say("remove -f 1", "Really rm -f web? Type yes or no:")
	say("yes", "Done.")
	say("volumes", "No volumes. volume create data makes one")
	say("start nobody", "It did not work (1).")
	say("help", "quit leaves. Containers run on.")
	say("say 'what", "Not understood")
	say("quit", "Containers run on.")
	if code := c.WaitExit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if out := c.Output(); strings.ContainsAny(out, "│╭─█") || c.AltScreen() {
		t.Errorf("something was drawn: %q", out)
	}
}
