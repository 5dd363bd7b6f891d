package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the test binary be berth: scripts and tests find it in PATH
// under that name, and the engines and shims that it starts are this binary too.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"berth": main, "berth-console": handOverWhenTold})
}

// needRoot skips what an unprivileged user cannot do.
func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: containers are started")
	}
}
