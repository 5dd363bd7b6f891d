package container

import (
	"os"
	"testing"
)

func TestFreezerIsJoinedLast(t *testing.T) {
	files := map[string]*os.File{"memory": os.Stdin, "freezer": os.Stdin, "cpu": os.Stdin, "devices": os.Stdin, "pids": os.Stdin}
	got := ""
	for _, j := range joinables(files) {
		got += j.Controller + " "
	}
	if want := "devices cpu memory pids freezer "; got != want {
		t.Errorf("joined in the order %s, want %s", got, want)
	}
}
