package main

import (
	"os"

	"github.com/rogpeppe/go-internal/testscript"

	"berth/engine/registry/registrytest"
)

// startRegistry runs Debian's docker-registry until the script ends and sets a
// variable to its address: registry VARIABLE [password]
func startRegistry(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: registry VARIABLE [password]")
	}
	dir := ts.MkAbs("registry-" + args[0])
	ts.Check(os.MkdirAll(dir, 0o700))
	s, err := registrytest.Start(registrytest.Options{Dir: dir, Passwords: len(args) == 2})
	ts.Check(err)
	ts.Defer(s.Stop)
	ts.Setenv(args[0], s.Addr)
}
