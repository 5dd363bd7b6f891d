package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDebugSaysWhatIsDone(t *testing.T) {
	b := newBundle(t)
	b.args("true")
	log := filepath.Join(b.dir, "log")
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{"--log", log, "run", b.id}, nil},
		{[]string{"--debug", "--log", log, "run", b.id}, []string{" level=debug ", "berth-runtime ", "is made"}},
		{[]string{"--debug", "--log", log, "--log-format", "json", "run", b.id}, []string{`{"level":"debug","msg":"process `}},
	} {
		_ = os.Remove(log)
		b.ok(c.args...)
		said, err := os.ReadFile(log)
		if err != nil || c.want == nil && len(said) > 0 {
			t.Errorf("%v: %q, %v", c.args, said, err)
		}
		for _, w := range c.want {
			if !strings.Contains(string(said), w) {
				t.Errorf("%v: no %q in %s", c.args, w, said)
			}
		}
	}
}

func TestQuote(t *testing.T) {
	for message, want := range map[string]string{"EOF": "EOF", "a b": `"a b"`, "": `""`, "x=1": `"x=1"`, `a"`: `"a\""`, "/run/x.y": "/run/x.y"} {
		if got := quote(message); got != want {
			t.Errorf("%q is %s, want %s", message, got, want)
		}
	}
}
