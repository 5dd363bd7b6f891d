// Command berth is a container workstation: a console, a container engine that
// speaks Docker's Engine API, an OCI runtime and a shim, in one static binary.
//
// This package is the only main. It holds the command line: one file per verb,
// each a client of the Engine API, and the one place where the engine, its API
// and the console are put together (serve.go, daemon.go, engine.go, console.go).
// The roles that run once per container leave before main: see package early.
package main

import (
	"context"
	"os"

	"berth/cmd/berth/clientside"
)

// clientEnd tells package ahead, which finds it by its name, how far the packages go that the verbs need that only talk
// to an engine. In a test this package is not called main, and is not found.
//
//lint:ignore U1000 only the linker sees the use
var clientEnd = clientside.End

func main() {
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr, environ: os.Environ()}
	os.Exit(a.main(context.Background(), os.Args[1:]))
}

// main runs the command line and returns the exit code.
func (a *app) main(ctx context.Context, args []string) int {
	root := newRoot(a, args)
	root.SetArgs(args)
	return report(a.err, root.ExecuteContext(ctx))
}
