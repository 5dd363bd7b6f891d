package early_test

import (
	"bytes"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"berth/cmd/berth/early/ahead"
)

// late are packages that Go initialises after what the engine and the console
// import: their own paths sort high, so all else that is ready comes first. One of
// them among the imports of package early and every shim starts 11 ms later.
var late = []string{"net", "net/http", "path/filepath", "os/exec", "os/user", "regexp", "runtime/debug", "text/template", "log/slog", "testing"}

func TestNothingLateIsImported(t *testing.T) {
	for _, dep := range imports(t, "berth/cmd/berth/early") {
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

func imports(t *testing.T, of ...string) []string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list", "-deps"}, of...)...).Output()
	if err != nil {
		t.Fatalf("list what %v import: %v", of, err)
	}
	return strings.Fields(string(out))
}

// It takes the real binary, in which early is the first import of main.
func TestRolesInitialiseOnlyWhatTheyImport(t *testing.T) {
	berth := t.TempDir() + "/berth"
	if out, err := exec.Command("go", "build", "-o", berth, "berth/cmd/berth").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	const us = "berth/cmd/berth/early/ahead"
	short, client := imports(t, "berth/cmd/berth/early"), append(imports(t, "berth/cmd/berth/early", "berth/cmd/berth/clientside"), "main")
	for _, c := range []struct {
		args   []string
		needs  string
		wanted []string
	}{
		{[]string{"/bin/berth-runtime", "--version"}, "berth/runtime/container", short},
		{[]string{"berth", "runtime", "--version"}, "berth/runtime/container", short},
		{[]string{"berth", "version", "--help"}, "net/http", client},
		{[]string{"berth", "--root", "/nowhere", "run", "--help"}, "main", client},
	} {
		list := initialised(t, berth, c.args...)
		at := slices.Index(list, us)
		if at < 0 {
			t.Skip("package ahead has nothing to skip with in a binary of this Go version")
		}
		if at > 5 {
			t.Errorf("%d packages come before: %v", at, list[:at])
		}
		if !slices.Contains(list, c.needs) {
			t.Errorf("%s does not initialise what it needs, but %v", c.args, list)
		}
		if c.needs == "berth/runtime/container" && slices.Contains(list, "unicode") {
			t.Errorf("%s makes the maps of package unicode", c.args)
		}
		for _, pkg := range list[at:] {
			if !slices.Contains(c.wanted, strings.ReplaceAll(pkg, "%2e", ".")) { // the linker's way to write a dot
				t.Errorf("%s initialises %s", c.args, pkg)
			}
		}
	}
	for _, verb := range ahead.Nameless {
		if !slices.Contains(ahead.Verbs[:], verb) || slices.Contains(initialised(t, berth, "berth", verb, "--help"), "github.com/distribution/reference") {
			t.Errorf("%s makes the regular expressions for names of images", verb)
		}
	}
	// With what was left out, each of them comes as far as its flags.
	for _, verb := range ahead.Verbs {
		if out, err := exec.Command(berth, verb, "--help").CombinedOutput(); err != nil || !bytes.Contains(out, []byte("Usage:")) {
			t.Errorf("%s --help: %v: %s", verb, err, out)
		}
	}
	if list := initialised(t, berth, "berth", "--help"); !slices.Contains(list, "berth/engine/api") {
		t.Errorf("the main role initialises only %v", list)
	}
}

// initialised runs a program and lists the packages whose initialisation the Go
// runtime traces.
func initialised(t *testing.T, path string, args ...string) (list []string) {
	t.Helper()
	var trace bytes.Buffer
	cmd := &exec.Cmd{Path: path, Args: args, Env: append(os.Environ(), "GODEBUG=inittrace=1"), Stderr: &trace}
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v: %s", args, err, trace.String())
	}
	for line := range strings.Lines(trace.String()) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "init" {
			list = append(list, f[1])
		}
	}
	return list
}
