package tui

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// lateSignal is for how long after the end of a program the ctrl+c that ended it may
// be told: the kernel has sent it before, but to hear a signal takes some way.
const lateSignal = 2 * time.Second

// signals are those that tell the console to end. Bubble Tea's own handler hears
// one and then leaves the process to the next, which would end it in the middle of
// giving the terminal back: a terminal that is closed and a service manager send several.
type signals struct {
	ch   chan os.Signal
	done chan struct{}
	late time.Duration

	mu     sync.Mutex
	others int       // programs that have the terminal
	last   time.Time // when the last of them ended
}

// hearSignals keeps signals from ending the process, from now on until stop.
func hearSignals() *signals {
	s := &signals{ch: make(chan os.Signal, 1), done: make(chan struct{}), late: lateSignal}
	signal.Notify(s.ch, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	return s
}

// each calls quit for every signal that is meant for the console, until stop.
func (s *signals) each(quit func()) {
	for {
		select {
		case sig := <-s.ch:
			if sig != syscall.SIGINT || !s.forOthers() {
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
	s.mu.Lock()
	defer s.mu.Unlock()
	s.others++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.others--
		s.last = time.Now()
	}
}

// forOthers tells whether a ctrl+c that is heard now was meant for another program.
func (s *signals) forOthers() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.others > 0 || time.Since(s.last) < s.late
}

// stop gives the signals back to the process.
func (s *signals) stop() {
	signal.Stop(s.ch)
	close(s.done)
}
