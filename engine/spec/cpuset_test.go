package spec

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
)

func TestCheckSet(t *testing.T) {
	online := filepath.Join(t.TempDir(), "online")
	if err := os.WriteFile(online, []byte("0-3,8\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]string{
		"": "", "0": "", "0-3": "", "1,8,2-3": "",
		"4":        "Requested CPUs are not available - requested 4, available: 0-3,8",
		"0-8":      "Requested CPUs are not available - requested 0-8, available: 0-3,8",
		"abc":      "Invalid value abc for cpuset cpus: invalid format: abc",
		"0-":       "invalid format",
		"-1":       "invalid format",
		"3-1":      "invalid format",
		"0,":       "invalid format",
		"+1":       "invalid format",
		"0-999999": "value out of range, maximum is 8191",
	} {
		err := checkSet("CPUs", "cpus", value, online)
		switch {
		case want == "" && err != nil:
			t.Errorf("%q: %v", value, err)
		case want != "" && (!errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v, want %q", value, err, want)
		}
	}
	if err := checkSet("memory nodes", "mems", "7", online+".missing"); err != nil {
		t.Error("a kernel that does not tell:", err)
	}
}
