//go:build !amd64

package signals

import (
	"os"
	"os/signal"

	"golang.org/x/sys/unix"
)

// Survive has signals do nothing to this process. Unlike Ignore it is not inherited.
func Survive(list []unix.Signal) error {
	for _, s := range list {
		signal.Notify(make(chan os.Signal, 1), s)
	}
	return nil
}
