package main

import (
	"path/filepath"
	"strings"
	"testing"

	"berth/cmd/berth/contexts"
	"berth/tui/tuitest"
)

// TestTheConsoleGoesToAnotherEngine: two engines of this machine, the second one
// known by a context; and an engine that is not there is said to be so.
func TestTheConsoleGoesToAnotherEngine(t *testing.T) {
	far := newRig(t)
	far.images()
	far.berth("create", "--name", "over-there", "berth/starter")
	near := newRig(t)
	near.images()
	near.berth("run", "-dit", "--name", "over-here", "berth/starter")
	docker := t.TempDir()
	store := contexts.Open(filepath.Join(docker, "contexts"))
	for name, host := range map[string]string{"second": far.conf.Socket(), "gone": "unix:///nowhere/b.sock"} {
		if err := store.Create(contexts.Context{Name: name, Host: host}); err != nil {
			t.Fatal(err)
		}
	}
	cmd := near.command()
	cmd.Env = append(cmd.Env, "DOCKER_CONFIG="+docker)
	c := tuitest.Start(t, cmd, 110, 36)
	goTo := func(name string) {
		t.Helper()
		c.Press("H")
		c.WaitFor("engines", "second")
		for _, line := range strings.Split(c.Screen(), "\n") {
			if _, after, ok := strings.Cut(line, "  "+name); ok && after != "" {
				before := strings.Fields(strings.TrimSuffix(line, after))
				c.Press(before[len(before)-2])
				return
			}
		}
		t.Fatalf("%s is not offered:\n%s", name, c.Screen())
	}
	c.WaitFor("berth ▸ local", "● over-here")
	c.Press("E")
	c.WaitFor("/ #")
	c.Press("ctrl+]", "q")
	c.WaitFor("E shell")
	goTo("second")
	c.WaitFor("going to second ends one shell", "containers run on")
	c.Press("n")
	c.WaitGone("going to second")
	c.WaitFor("berth ▸ local", "/ #")
	goTo("second")
	c.WaitFor("going to second ends")
	c.Press("y")
	c.WaitFor("berth ▸ second", "over-there")
	c.WaitGone("over-here")
	goTo("gone")
	c.WaitFor("no engine answers at gone")
	goTo("local")
	c.WaitFor("berth ▸ local", "over-here")
	c.Press("q")
	if code := c.WaitExit(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
