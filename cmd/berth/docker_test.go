package main

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// TestDockersOwnClient runs docker's command against the engine.
func TestDockersOwnClient(t *testing.T) {
	docker, err := exec.LookPath("docker")
	if err != nil {
		t.Skip("needs the docker command (Debian: apt-get install docker.io)")
	}
	r := newRig(t)
	r.images()
	run := func(want string, args ...string) {
		t.Helper()
		cmd := exec.Command(docker, append([]string{"-H", r.conf.Socket()}, args...)...)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("docker %s: %v, want %q in\n%s", strings.Join(args, " "), err, want, out)
		}
	}
	run("hello", "run", "--rm", "busybox", "echo", "hello")
	run("", "run", "-d", "--name", "dock", "busybox", "sh", "-c", "echo from docker; sleep 1000")
	run("dock", "ps", "--format", "{{.Names}}")
	r.until("the log has its line", func() bool { return r.berth("logs", "dock") == "from docker" })
	run("from docker", "logs", "dock")
	run("inside", "exec", "dock", "echo", "inside")
	run("busybox", "images")
	run("running", "inspect", "-f", "{{.State.Status}}", "dock")
	run("A /x", "exec", "dock", "sh", "-c", "touch /x; echo A /x")
	run("A /x", "diff", "dock")
	run("Server", "version")
	run("Containers: 1", "info")
	run("dock", "rm", "-f", "dock")
	var got []struct{ ID string }
	if err := json.Unmarshal([]byte("["+r.berth("ps", "-a", "--format", "json")+"]"), &got); err != nil || len(got) != 0 {
		t.Errorf("containers are left: %v, %v", got, err)
	}
}
