//go:build !amd64

package cli

import (
	"os"
	"os/signal"
	"sync"

	"golang.org/x/sys/unix"
)

var signals = sync.OnceValue(func() chan os.Signal {
	c := make(chan os.Signal, 128)
	for _, s := range forwarded {
		signal.Notify(c, s)
	}
	return c
})

// catch has the signals of forwarded kept from now on for next, which waits for
// one.
func catch() (next func() (unix.Signal, error), err error) {
	c := signals()
	return func() (unix.Signal, error) { return (<-c).(unix.Signal), nil }, nil
}
