package early_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// late are packages that Go initialises after what the engine and the console
// import: their own paths sort high, so all else that is ready comes first. One of
// them among the imports of package early and every shim starts 11 ms later.
var late = []string{"net", "net/http", "path/filepath", "os/exec", "os/user", "regexp", "runtime/debug", "text/template", "log/slog", "testing"}

func TestNothingLateIsImported(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "berth/cmd/berth/early").Output()
	if err != nil {
		t.Fatalf("list what package early imports: %v", err)
	}
	for dep := range strings.Lines(string(out)) {
		dep = strings.TrimSpace(dep)
		if slices.Contains(late, dep) {
			t.Errorf("package early imports %s", dep)
		}
		outside := strings.Contains(strings.Split(dep, "/")[0], ".")
		if outside && !slices.ContainsFunc([]string{"github.com/containerd/errdefs", "github.com/opencontainers/runtime-spec/", "golang.org/x/sys/"},
			func(p string) bool { return strings.HasPrefix(dep, p) }) {
			t.Errorf("package early imports %s, which is not among the few that it may", dep)
		}
	}
}
