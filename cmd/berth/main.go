// Command berth is a container workstation: a console, a container engine that
// speaks Docker's Engine API, an OCI runtime and a shim, in one static binary.
package main

import (
	"fmt"
	"runtime/debug"
)

func main() {
	info, _ := debug.ReadBuildInfo()
	fmt.Println("berth", info.Main.Version)
}
