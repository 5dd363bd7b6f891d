package steptest

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func TestEveryStepIsReached(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	script := func() *exec.Cmd { return exec.Command("/bin/sh", "-c", "echo x > "+file+"; exit 7") }
	all, err := Run(script(), Command, 0)
	if err != nil || all.Killed || all.Status.ExitStatus() != 7 || all.Steps < 10 {
		t.Fatalf("%+v, %v", all, err)
	}
	made := 0
	for at := 1; at <= all.Steps; at++ {
		if err := os.RemoveAll(file); err != nil {
			t.Fatal(err)
		}
		r, err := Run(script(), Command, at)
		if err != nil || !r.Killed || r.Steps != at || r.Status.Signal() != unix.SIGKILL {
			t.Fatalf("step %d: %+v, %v", at, r, err)
		}
		if _, err := os.Stat(file); err == nil {
			made++
		}
	}
	if made == 0 || made == all.Steps {
		t.Errorf("%d of %d killed had made the file", made, all.Steps)
	}
	if r, err := Run(script(), Command, all.Steps+1); err != nil || r.Killed {
		t.Errorf("after the last step: %+v, %v", r, err)
	}
}

func TestGenerations(t *testing.T) {
	// A shell that forks a shell that forks.
	script := func() *exec.Cmd { return exec.Command("/bin/sh", "-c", "(/bin/true; /bin/true); echo $?; exit 0") }
	for g, fate := range map[Generation]unix.WaitStatus{Command: unix.WaitStatus(unix.SIGKILL), Child: 0, Grandchild: 0} {
		all, err := Run(script(), g, 0)
		if err != nil || all.Steps == 0 || all.Status.ExitStatus() != 0 {
			t.Fatalf("generation %d: %+v, %v", g, all, err)
		}
		cmd := script()
		out, err := os.Create(filepath.Join(t.TempDir(), "out"))
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		cmd.Stdout = out
		r, err := Run(cmd, g, all.Steps/2)
		if err != nil || !r.Killed || r.Status != fate {
			t.Errorf("generation %d: %+v, %v", g, r, err)
		}
	}
}

func TestPoints(t *testing.T) {
	if p := Points(5, 9); !slices.Equal(p, []int{1, 2, 3, 4, 5}) {
		t.Errorf("all of 5 steps: %v", p)
	}
	p := Points(1000, 10)
	if len(p) != 10 || !slices.IsSorted(p) || p[0] < 1 || p[0] > 100 || p[9] <= 900 || p[9] > 1000 {
		t.Errorf("10 of 1000: %v", p)
	}
}
