package cli

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// orders are commands at the wrong moment, or with the wrong arguments, with runc's
// exit status; ID stands for the container.
var orders = []struct {
	command string
	status  int
}{
	{"start ID", 1}, {"state ID", 1}, {"kill ID KILL", 1}, {"pause ID", 1}, {"resume ID", 1}, {"delete ID", 1}, {"delete -f ID", 0},
	{"exec ID true", 255}, {"ps ID", 1}, {"update --memory 1 ID", 1}, {"events --stats ID", 1},
	{"create bad/id", 1}, {"create ..", 1}, {"create", 1}, {"create ID ID", 1}, {"create --frob ID", 1}, {"create --bundle /gone ID", 1},
	{"create --pid-file /gone/pid ID", 1}, {"create --console-socket /gone ID", 1}, {"create --preserve-fds 500 ID", 1},
	{"state ID", 1}, // none of these has left anything
	{"create ID", 0}, {"create ID", 1}, {"run ID", 1}, {"resume ID", 1}, {"exec ID true", 0},
	{"start ID", 0}, {"start ID", 1}, {"create ID", 1}, {"delete ID", 1}, {"resume ID", 1},
	{"kill ID NOPE", 1}, {"kill ID 99", 1}, {"kill ID 0", 0}, {"kill ID", 0 /* TERM, which init is proof against */}, {"ps -f x ID", 1},
	{"exec ID", 255}, {"exec ID nosuch", 255}, {"exec --cwd rel ID true", 255}, {"exec -u x ID true", 255}, {"exec -e novalue ID true", 255},
	{"exec -p /gone ID", 255}, {"exec --cwd /bin/sh ID true", 255},
	{"pause ID", 0}, {"pause ID", 1}, {"start ID", 1}, {"exec ID true", 255}, {"delete ID", 1}, {"resume ID", 0},
	{"kill ID KILL", 0}, {"STOPPED", 0}, {"kill ID KILL", 1}, {"start ID", 1}, {"exec ID true", 255}, {"pause ID", 1}, {"resume ID", 1},
	{"run ID", 1}, {"delete ID", 0}, {"delete ID", 1},
	{"create ID", 0}, {"kill ID WINCH", 0}, {"state ID", 0}, {"kill ID", 0 /* while init waits, it is not */}, {"STOPPED", 0}, {"start ID", 1}, {"delete ID", 0},
	{"list x", 1}, {"list -f x", 1}, {"frobnicate", 3}, {"--frob list", 1}, {"--log-format x list", 1}, {"--log /gone/log list", 1},
}

// TestWrongOrderBesideRunc gives both runtimes the same orders.
func TestWrongOrderBesideRunc(t *testing.T) {
	b := newBundle(t)
	b.args("sleep", "1000")
	b.obey("berth", b.root, os.Args[0], "runtime")
	b.clean()
	if runc, err := exec.LookPath("runc"); err == nil && !testing.Short() {
		b.obey("runc", filepath.Join(b.dir, "runc"), runc)
	}
}

func (b *bundle) obey(name, root string, argv ...string) {
	b.t.Helper()
	id := b.id + "-" + name
	command := func(args ...string) *exec.Cmd {
		c := exec.Command(argv[0], append(append(argv[1:len(argv):len(argv)], "--root", root), args...)...)
		c.Dir = b.dir
		return c
	}
	b.t.Cleanup(func() { _ = command("delete", "-f", id).Run() })
	for _, o := range orders {
		if o.command == "STOPPED" {
			for deadline := time.Now().Add(20 * time.Second); ; {
				out, err := command("state", id).Output()
				if err != nil || time.Now().After(deadline) {
					b.t.Fatalf("%s: the container does not end: %s, %v", name, out, err)
				}
				if strings.Contains(string(out), `"stopped"`) {
					break
				}
			}
			continue
		}
		c := command(strings.Fields(strings.ReplaceAll(o.command, "ID", id))...)
		// A file, as a pipe would be waited for until the container ends.
		log, err := os.Create(filepath.Join(b.dir, "said"))
		if err != nil {
			b.t.Fatal(err)
		}
		c.Stderr = log
		err = c.Run()
		log.Close()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			b.t.Fatal(err)
		}
		if got := c.ProcessState.ExitCode(); got != o.status {
			said, _ := os.ReadFile(log.Name())
			b.t.Errorf("%s %s: status %d, want %d: %s", name, o.command, got, o.status, said)
		}
	}
}
