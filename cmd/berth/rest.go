//go:build !client

package main

import (
	"runtime/debug"
	"time"

	"berth/runtime/pages"
)

// restAfter is how long nobody has asked the engine anything before it gives memory back.
const restAfter = 2 * time.Second

// rest gives back what an engine without clients does not need, as the shims do: garbage, which would lie there until
// as much again has come, and what its start and its last work have read of the binary.
func (d *daemon) rest() {
	debug.FreeOSMemory()
	if err := pages.GiveBack(); err != nil {
		d.log.Warn("giving memory back", "error", err)
	}
}
