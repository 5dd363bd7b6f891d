package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// TestCheckpointAndRestore saves a container that counts, and has it go on.
func TestCheckpointAndRestore(t *testing.T) {
	check := exec.Command("criu", "check")
	check.Dir = t.TempDir() // for its log, if /etc/criu/default.conf names one
	if out, err := check.CombinedOutput(); err != nil {
		t.Skipf("criu does not work here: %v: %s", err, out)
	}
	b := newBundle(t)
	b.configure(func(s *specs.Spec) {
		// What is inside the network namespace needs iptables to be kept still.
		s.Linux.Namespaces = slices.DeleteFunc(s.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.NetworkNamespace })
		s.Process.Args = []string{"sh", "-c", "i=0; while :; do i=$((i+1)); echo $i > /dev/shm/count; sleep 0.02; done"}
	})
	// On /dev/null, which can be saved; errors are in the log.
	log := filepath.Join(b.dir, "log")
	if err := b.command("--log", log, "run", "-d", b.id).Run(); err != nil {
		said, _ := os.ReadFile(log)
		t.Fatalf("run: %v: %s", err, said)
	}
	t.Cleanup(func() {
		if t.Failed() {
			logs, _ := filepath.Glob(b.dir + "/*/*.log")
			for _, name := range logs {
				said, _ := os.ReadFile(name)
				t.Logf("%s: …%s", name, said[max(0, len(said)-2500):])
			}
		}
	})
	b.ok("checkpoint", "--pre-dump", "--image-path", "pre", b.id)
	b.ok("checkpoint", "--leave-running", "--image-path", "running", b.id)
	if s := b.ok("state", b.id); !strings.Contains(s, `"running"`) {
		t.Errorf("not left running: %s", s)
	}
	b.ok("checkpoint", b.id)
	b.fails(1, "container does not exist", "state", b.id)
	pid := filepath.Join(b.dir, "pid")
	if err := b.command("--log", log, "restore", "-d", "--pid-file", pid, b.id).Run(); err != nil {
		said, _ := os.ReadFile(log)
		t.Fatalf("restore: %v: %s", err, said)
	}
	data, err := os.ReadFile(pid)
	if err != nil || strings.TrimSpace(b.ok("ps", "-f", "json", b.id)) == "[]" {
		t.Fatalf("pid %q, %v", data, err)
	}
	b.ok("exec", b.id, "sh", "-c", "a=$(cat /dev/shm/count); while [ $(cat /dev/shm/count) = $a ]; do :; done; [ $a -gt 0 ]")
	b.ok("kill", b.id, "KILL")
	b.until("stopped")
	b.ok("delete", b.id)
}

// TestCriuIsTold has a program in CRIU's place write down what it is called with,
// and fail.
func TestCriuIsTold(t *testing.T) {
	b := newBundle(t)
	b.configure(func(s *specs.Spec) {
		s.Process.Args = []string{"sleep", "1000"}
		s.Mounts = append(s.Mounts, specs.Mount{Destination: "/mnt", Source: b.dir, Type: "bind", Options: []string{"bind"}})
	})
	b.ok("run", "-d", b.id)
	fake := filepath.Join(b.dir, "fake")
	script := "#!/bin/sh\necho \"$@\" > " + b.dir + "/told\nfor d in work images; do echo '(00.1) Error (criu/x.c:1): no luck' > " + b.dir + "/$d/dump.log; done\ncp " +
		b.dir + "/work/dump.log " + b.dir + "/work/restore.log\nexit 1\n"
	if err := os.WriteFile(fake, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	told := func(want ...string) {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(b.dir, "told"))
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(" "+strings.TrimSpace(string(data))+" ", " "+w+" ") {
				t.Errorf("criu was not told %q: %s", w, data)
			}
		}
	}
	paths := []string{"--image-path", "images", "--work-path", "work"}
	b.fails(1, "no luck (log file: "+b.dir+"/work/dump.log)", slices.Concat([]string{"--criu", fake, "checkpoint"}, paths,
		[]string{"--tcp-established", "--file-locks", "--shell-job", "--ext-unix-sk", "--empty-ns", "network", "--manage-cgroups-mode", "full",
			"--page-server", "[::1]:77", "--leave-running", b.id})...)
	pid := strings.Trim(strings.TrimSpace(b.ok("ps", "-f", "json", b.id)), "[]")
	told("dump --tree "+pid, "--images-dir "+b.dir+"/images", "--work-dir "+b.dir+"/work", "--root "+b.dir+"/rootfs", "--tcp-established", "--file-locks",
		"--shell-job", "--ext-unix-sk", "--empty-ns net", "--manage-cgroups=full", "--address [::1] --port 77", "--leave-running",
		"--external mnt[/mnt]:/mnt")
	if s := b.ok("state", b.id); !strings.Contains(s, `"running"`) {
		t.Errorf("after a failed checkpoint: %s", s)
	}
	second := b.id + "-2"
	b.fails(1, "no luck", slices.Concat([]string{"--criu", fake, "restore", "--lsm-profile", "apparmor:x"}, paths, []string{second})...)
	told("restore", "--restore-sibling", "--external mnt[/mnt]:"+b.dir, "--manage-cgroups=soft", "--lsm-profile apparmor:x")
	b.fails(1, "container does not exist", "state", second) // nothing is left

	b.fails(1, "there is no nosuch in $PATH", "--criu", "nosuch", "checkpoint", b.id)
	b.fails(1, "cannot be run", "--criu", "/nosuch", "checkpoint", b.id)
	b.fails(1, "invalid manage-cgroups-mode", "checkpoint", "--manage-cgroups-mode", "odd", b.id)
	b.fails(1, `namespace "uts" is not supported`, "checkpoint", "--empty-ns", "uts", b.id)
	b.fails(1, "--parent-path must be relative", "checkpoint", "--parent-path", "/x", b.id)
	b.fails(1, "use ADDRESS:PORT", "checkpoint", "--page-server", "here", b.id)
	b.fails(1, "descriptors.json: no such file", "restore", "--image-path", "nothing", second)
	b.ok("kill", b.id, "KILL")
	b.until("stopped")
	b.fails(1, "container cannot be checkpointed in stopped state", "checkpoint", b.id)
}
