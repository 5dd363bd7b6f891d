package tui

import (
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
)

// signals are those that tell the console to end. Bubble Tea's own handler hears
// one and then leaves the process to the next, which would end it in the middle of
// giving the terminal back: a terminal that is closed and a service manager send several.
type signals struct {
	ch     chan os.Signal
	done   chan struct{}
	others atomic.Bool
}

// hearSignals keeps signals from ending the process, from now on until stop.
func hearSignals() *signals {
	s := &signals{ch: make(chan os.Signal, 1), done: make(chan struct{})}
	signal.Notify(s.ch, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	return s
}

// each calls quit for every signal that is meant for the console, until stop.
func (s *signals) each(quit func()) {
	for {
		select {
		case sig := <-s.ch:
			if sig != syscall.SIGINT || !s.others.Load() {
				quit()
			}
		case <-s.done:
			return
		}
	}
}

// toOthers says that ctrl+c is now meant for a program that has the terminal, which
// sends it to all that were started from it; back undoes that.
func (s *signals) toOthers() (back func()) {
	s.others.Store(true)
	return func() { s.others.Store(false) }
}

// stop gives the signals back to the process.
func (s *signals) stop() {
	signal.Stop(s.ch)
	close(s.done)
}
