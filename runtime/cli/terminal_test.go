package cli

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// TestTerminalIntoAFile has what is printed as it was written, without the carriage
// returns that a terminal adds.
func TestTerminalIntoAFile(t *testing.T) {
	b := newBundle(t)
	b.ok("spec")
	b.edit(func(s *specs.Spec) { s.Process.Args = []string{"sh", "-c", "test -t 1 && echo one; echo two"} })
	if out := b.ok("run", b.id); out != "one\ntwo\n" {
		t.Errorf("run printed %q", out)
	}
	b.edit(func(s *specs.Spec) { s.Process.Terminal, s.Process.Args = false, []string{"sleep", "1000"} })
	b.ok("run", "--detach", b.id)
	if out := b.ok("exec", "--tty", b.id, "sh", "-c", "test -t 1 && echo three; echo four"); out != "three\nfour\n" {
		t.Errorf("exec printed %q", out)
	}
}
