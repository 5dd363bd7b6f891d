package container

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// TestInterpreterThatIsNotThere: the script itself is, so that stat, of which the error
// of a missing command speaks, would find it.
func TestInterpreterThatIsNotThere(t *testing.T) {
	script := func(f *fixture) {
		if err := os.WriteFile(filepath.Join(f.opts.Bundle, "rootfs/run.sh"), []byte("#!/nosuch\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	check := func(name string, err error) {
		if !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "exec /run.sh: no such file or directory") {
			t.Errorf("%s: %v", name, err)
		}
	}
	f := newFixture(t, "/run.sh")
	script(f)
	check("start", f.create().Start())
	f = newFixture(t)
	script(f)
	_, err := f.running().Exec(context.Background(), ExecOptions{Process: &specs.Process{Args: []string{"/run.sh"}, Cwd: "/"}})
	check("exec", err)
}
