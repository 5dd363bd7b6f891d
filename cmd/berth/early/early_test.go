package early_test

import (
	"bytes"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	_ "crypto/tls" // what the short roles do without
	_ "encoding/xml"

	_ "berth/cmd/berth/early"
	"berth/cmd/berth/early/ahead"
)

// late are packages that Go initialises after what the engine and the console
// import: their own paths sort high, so all else that is ready comes first. One of
// them among the imports of package early and every shim starts 11 ms later.
var late = []string{"net", "net/http", "path/filepath", "os/exec", "os/user", "regexp", "runtime/debug", "text/template", "log/slog", "testing"}

func TestNothingLateIsImported(t *testing.T) {
	for _, dep := range imports(t) {
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

// A short role would run on packages that were never initialised.
func TestNothingSkippedIsImported(t *testing.T) {
	for _, dep := range imports(t) {
		if ahead.Skips(dep) {
			t.Errorf("package early imports %s, which package ahead keeps from being initialised", dep)
		}
	}
}

func imports(t *testing.T) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", "berth/cmd/berth/early").Output()
	if err != nil {
		t.Fatalf("list what package early imports: %v", err)
	}
	return strings.Fields(string(out))
}

// This test binary has package early in it and so plays the roles as well.
func TestShortRolesInitialiseWhatTheyNeed(t *testing.T) {
	const us = "berth/cmd/berth/early/ahead"
	skipped := func(args ...string) (list []string) {
		t.Helper()
		for _, pkg := range initialised(t, args...) {
			if ahead.Skips(pkg) {
				list = append(list, pkg)
			}
		}
		return list
	}
	all := skipped("berth", "-test.list=^$")
	if !slices.Contains(all, "encoding/xml") || !slices.ContainsFunc(all, func(p string) bool { return strings.HasPrefix(p, "crypto/") }) {
		t.Fatalf("the main role initialises only %v", all)
	}
	for _, args := range [][]string{{"/bin/berth-runtime", "--version"}, {"berth", "runtime", "--version"}} {
		list := initialised(t, args...)
		at := slices.Index(list, us)
		if at < 0 {
			t.Skip("package ahead has nothing to skip with in a binary of this Go version")
		}
		for _, pkg := range list[at:] {
			if ahead.Skips(pkg) {
				t.Errorf("%s initialises %s", args, pkg)
			}
		}
		if at > 10 {
			t.Errorf("%d packages come before: %v", at, list[:at])
		}
	}
}

// initialised runs this test binary and lists the packages whose initialisation
// it traces.
func initialised(t *testing.T, args ...string) (list []string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var trace bytes.Buffer
	cmd := &exec.Cmd{Path: self, Args: args, Env: append(os.Environ(), "GODEBUG=inittrace=1"), Stderr: &trace}
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
