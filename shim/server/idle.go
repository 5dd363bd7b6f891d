package server

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"berth/runtime/pages"
)

// idleAfter is how long a shim is left alone before it gives its memory back.
const idleAfter = 300 * time.Millisecond

// idleTimer calls trim when the shim falls idle after work that needed memory.
type idleTimer struct {
	touches atomic.Uint32
	armed   atomic.Bool
	trim    func()
}

// touch says that there was such work.
func (i *idleTimer) touch() {
	i.touches.Add(1)
	if i.armed.CompareAndSwap(false, true) {
		i.arm()
	}
}

// again says that something ended that may have kept trim from doing all it can.
func (i *idleTimer) again() {
	if i.touches.Load() > 0 {
		i.touch()
	}
}

func (i *idleTimer) arm() {
	seen := i.touches.Load()
	time.AfterFunc(idleAfter, func() {
		if i.touches.Load() != seen {
			i.arm()
			return
		}
		i.armed.Store(false)
		i.trim()
	})
}

// rest gives back what memory an idle shim does not need: all of it by becoming a fresh
// image of itself, or, while clients are attached and execs are open, what the
// collector finds and what was read of the executable.
func (s *shim) rest() {
	if s.renew() {
		return // an execve that failed
	}
	s.init.out.trim()
	runtime.GC() // a stack shrinks by half in each cycle, and the pool of buffers empties in the second
	// The scavenger hands the pages back in its own time: runtime/debug, which could
	// hurry it, would be initialised after everything of the engine's and have every
	// shim start 11 ms later (package early).
	runtime.GC()
	if err := pages.GiveBack(); err != nil {
		fmt.Fprintln(os.Stderr, "berth-shim:", err)
	}
}
