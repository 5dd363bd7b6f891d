package image

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// flushEvery is how much work may be left to do when a layer is committed.
const flushEvery = 150 * time.Millisecond

// flushing writes what is unpacked to disk while unpacking goes on, until the
// returned function is called. A commit must have everything on disk, and it
// would find nothing better to do than to wait for it: half of the time that
// a large image takes. One goroutine does it for all operations.
func (s *Store) flushing() (stop func()) {
	s.flush.mu.Lock()
	defer s.flush.mu.Unlock()
	if s.flush.users++; s.flush.users == 1 {
		s.flush.end = make(chan struct{})
		end := s.flush.end
		s.flush.running.Go(func() { s.flushUntil(end) })
	}
	return func() {
		s.flush.mu.Lock()
		defer s.flush.mu.Unlock()
		if s.flush.users--; s.flush.users == 0 {
			close(s.flush.end)
		}
	}
}

// Close waits until nothing is written to disk any more. Nothing may be under way.
func (s *Store) Close() { s.flush.running.Wait() }

func (s *Store) flushUntil(end <-chan struct{}) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-end:
			return
		case <-tick.C:
		}
		dir, err := os.Open(s.content.Root())
		if err != nil {
			return // whether all gets to disk is for the commit to tell
		}
		unix.Syncfs(int(dir.Fd()))
		dir.Close()
	}
}
