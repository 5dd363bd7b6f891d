// Package early takes the roles of berth that run once per container off the path of
// the others: the shim, the OCI runtime and the init leave from an init function here,
// and main is never reached.
//
// Go initialises packages one after another: of those whose imports are all
// initialised, the one whose import path sorts first. The module is called berth, which
// sorts before charm.land, github.com, go.etcd.io and golang.org, so this package runs
// as soon as the few packages it imports are ready, and the tables, registries and
// caches that the console's and the engine's libraries make at start are neither made
// nor paid for: not in time (3 ms) and not in memory, where their pages stay unread in
// the file that all shims share.
//
// That holds as long as this package imports little, which early_test.go holds. Package
// ahead leaves out what would come first all the same; for that, and to have what
// the short roles run side by side in memory, package main imports this one before
// all others.
package early

import (
	"os"
	"runtime"

	"berth/cmd/berth/early/ahead"
	"berth/runtime/cli"
	"berth/runtime/pid1"
	"berth/shim/server"
)

func init() {
	if ahead.Of(os.Args) != ahead.Main {
		// Its first sample would walk the stack, through tables nobody else reads.
		runtime.MemProfileRate = 0
	}
	// None of these may return: package ahead has left out what main needs. The
	// goroutine of an init function has the first thread for its own, and every time
	// it waited and went on two threads would change.
	switch ahead.Of(os.Args) {
	case ahead.Init:
		os.Exit(pid1.Main(os.Args))
	case ahead.Shim:
		os.Exit(server.Main())
	case ahead.Runtime:
		go func() { os.Exit(cli.Main(os.Args)) }()
		select {}
	case ahead.RuntimeCommand:
		go func() { os.Exit(cli.Main(os.Args[1:])) }()
		select {}
	}
}
