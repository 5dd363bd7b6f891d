package tui

import (
	"os"
	"path/filepath"
	"testing"
)

// shortDir is a directory whose name leaves room in messages.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "b")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestRenamingAndLimits(t *testing.T) {
	r := start(t, newEngine(t), 120, 36)
	r.WaitFor("● web")
	r.Press("j", "j", "j", "n")
	r.WaitFor("rename web", "berth rename web web")
	r.Type("site\n")
	r.WaitFor("renamed web to website", "● website")
	r.Press("u")
	r.WaitFor("limits of website", "--pids-limit 100")
	r.Type("-m 512m --cpus=1.5\n")
	r.WaitFor("changed the limits of website memory 536870912 cpus 1500000000")
	r.Press("@")
	r.WaitFor("berth rename web website")
	for typed, want := range map[string]string{"-m": "options with their values", "-m lots": "-m lots", "--color red": "--color is not known here", "--restart sometimes": "--restart sometimes"} {
		r.Press("u")
		r.Type(typed + "\n")
		r.WaitFor("✗ limits", want)
	}
}

func TestCopyingFilesInAndOut(t *testing.T) {
	e := newEngine(t)
	dir := shortDir(t)
	r := start(t, e, 120, 36)
	r.WaitFor("● web")
	r.Press("j", "j", "j", ">")
	r.WaitFor("copy out of web", "path in it")
	r.Type("/etc/motd " + dir)
	r.WaitFor("berth cp web:/etc/motd " + dir)
	r.Press("enter")
	r.WaitFor("copied /etc/motd → " + dir)
	if got, err := os.ReadFile(filepath.Join(dir, "motd")); err != nil || string(got) != "hello\n" {
		t.Errorf("%v: %q", err, got)
	}
	r.Press("<")
	r.Type(dir + "/motd /srv")
	r.WaitFor("berth cp " + dir + "/motd web:/srv")
	r.Press("enter")
	r.WaitFor("copied " + dir + "/motd → /srv")
	e.mu.Lock()
	put := e.put
	e.mu.Unlock()
	if put != "/srv/motd: hello\n<nil>" {
		t.Errorf("the container got %q", put)
	}
	r.Press(">")
	r.Type("/nowhere .\n")
	r.WaitFor("Could not find the file /nowhere")
	r.Press(">")
	r.Type("/nowhere\n")
	r.WaitFor("it needs two paths")
	r.Press("X", "ctrl+u")
	r.Type(dir + "/all.tar\n")
	r.WaitFor("exported to " + dir + "/all.tar: web")
	if got, err := os.ReadFile(dir + "/all.tar"); err != nil || string(got) != "all its files" {
		t.Errorf("%v: %q", err, got)
	}
}
