package cli

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// Each of them would otherwise end or stop this process, or be lost.
func TestCatchKeepsEverySignal(t *testing.T) {
	next, err := catch()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range forwarded {
		for range 3 {
			if err := unix.Kill(os.Getpid(), want); err != nil {
				t.Fatal(err)
			}
			if got, err := next(); err != nil || got != want {
				t.Errorf("caught %d, want %d: %v", got, want, err)
			}
		}
	}
}
