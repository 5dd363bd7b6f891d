package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestEngineThroughSSH covers -H ssh://, of berth and of docker, to a far side
// that is this machine: ssh is a program that runs the command here.
func TestEngineThroughSSH(t *testing.T) {
	r := newRig(t)
	r.images()
	bin := filepath.Join(r.dir, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	berth, err := exec.LookPath("berth")
	if err != nil {
		t.Fatal(err)
	}
	// docker names the far side's program docker: only its verb is berth's.
	script := "#!/bin/sh\nexport BERTH_ROOT=" + r.conf.Root + " BERTH_STATE=" + r.conf.State + `
for last; do :; done
[ "$last" != dial-stdio ] || exec ` + berth + ` system dial-stdio
exec sh -c "$last"
`
	if err := os.WriteFile(filepath.Join(bin, "ssh"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	run := func(program string, args ...string) string {
		t.Helper()
		cmd := exec.Command(program, append([]string{"-H", "ssh://me@far.example"}, args...)...)
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "BERTH_ROOT=", "BERTH_STATE=")
		cmd.Stdin = strings.NewReader("through\n")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s %s: %v: %s", program, strings.Join(args, " "), err, out)
		}
		return strings.TrimSpace(string(out))
	}
	programs := []string{berth}
	if docker, err := exec.LookPath("docker"); err == nil {
		programs = append(programs, docker)
	}
	for _, p := range programs {
		if out := run(p, "images", "-q", "busybox"); out == "" {
			t.Errorf("%s sees no image", p)
		}
		// Standard input's end goes all the way to the container.
		if out := run(p, "run", "--rm", "-i", "--network", "none", "busybox", "cat"); out != "through" {
			t.Errorf("%s run cat: %q", p, out)
		}
	}
	r.until("nobody dials any more", func() bool { return len(r.processes("dial-stdio")) == 0 })
}
