package signals

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// dispositions reads the signals of a field of /proc/PID/status, as a mask.
func dispositions(t *testing.T, status []byte, field string) (mask uint64) {
	t.Helper()
	for line := range strings.Lines(string(status)) {
		if v, ok := strings.CutPrefix(line, field+":"); ok {
			for _, c := range strings.TrimSpace(v) {
				mask = mask<<4 | uint64(strings.IndexRune("0123456789abcdef", c))
			}
			return mask
		}
	}
	t.Fatalf("there is no %s in %s", field, status)
	return 0
}

var all = []unix.Signal{unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGUSR1, unix.SIGUSR2}

// TestSurvive sends what would end this process, and looks at what a child gets.
func TestSurvive(t *testing.T) {
	if err := Survive(all); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		for _, s := range all {
			if err := unix.Kill(os.Getpid(), s); err != nil {
				t.Fatal(err)
			}
		}
	}
	status, err := exec.Command("cat", "/proc/self/status").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if dispositions(t, status, "SigIgn")&(1<<(s-1)) != 0 {
			t.Errorf("a child ignores signal %d", s)
		}
	}
}

// TestIgnoreAndHeed: what is ignored is inherited, until it is heeded.
func TestIgnoreAndHeed(t *testing.T) {
	if err := Ignore([]unix.Signal{unix.SIGUSR2}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{true, false} {
		status, err := os.ReadFile("/proc/self/status")
		if err != nil {
			t.Fatal(err)
		}
		if got := dispositions(t, status, "SigIgn")&(1<<(unix.SIGUSR2-1)) != 0; got != want {
			t.Errorf("ignored: %v, want %v", got, want)
		}
		Heed()
	}
	if err := Ignore([]unix.Signal{unix.SIGKILL}); err == nil {
		t.Error("SIGKILL can be ignored")
	}
}
