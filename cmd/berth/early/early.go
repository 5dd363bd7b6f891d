// Package early takes the roles of berth that run once per container off the path of
// the others: the shim and the OCI runtime leave from an init function here, and main
// is never reached.
//
// Go initialises packages one after another: of those whose imports are all
// initialised, the one whose import path sorts first. The module is called berth, which
// sorts before charm.land, github.com, go.etcd.io and golang.org, so this package runs
// as soon as the few packages it imports are ready, and the tables, registries and
// caches that the console's and the engine's libraries make at start are neither made
// nor paid for: not in time (3 ms) and not in memory, where their pages stay unread in
// the file that all shims share.
//
// That holds as long as this package imports little. early_test.go lists what it may.
package early

import (
	"os"
	"path"

	"berth/runtime/cli"
	"berth/shim/server"
)

func init() {
	switch {
	case len(os.Args) == 0:
	case os.Args[0] == "berth-shim":
		os.Exit(server.Main())
	case path.Base(os.Args[0]) == "berth-runtime":
		os.Exit(cli.Main(os.Args))
	case len(os.Args) > 1 && os.Args[1] == "runtime":
		os.Exit(cli.Main(os.Args[1:]))
	}
}
