package main

import (
	"context"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the test binary be berth: scripts and tests find it in PATH
// under that name, and the engines and shims that it starts are this binary too.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"berth": main, "berth-console": handOverWhenTold, "berth-alone": consoleAlone})
}

// consoleAlone is berth with a console that does not see the engines of others on this
// machine: no key that is pressed at random is to reach them.
func consoleAlone() {
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ(), sockets: []string{}}
	os.Exit(a.main(context.Background(), os.Args[1:]))
}

// needRoot skips what an unprivileged user cannot do.
func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: containers are started")
	}
}
