package server

import (
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"
)

const (
	// idleAfter is how long a shim is left alone before it gives its memory back.
	idleAfter = 300 * time.Millisecond
	// idleGC is the garbage collector's setting from then on; the shim starts with the collector off.
	idleGC = 25
)

// idleTimer returns memory to the kernel when the shim falls idle after work that needed some.
type idleTimer struct {
	touches atomic.Uint32
	armed   atomic.Bool
	trim    func() // drops what is kept for reuse
}

// touch says that there was work.
func (i *idleTimer) touch() {
	i.touches.Add(1)
	if i.armed.CompareAndSwap(false, true) {
		i.arm()
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
		debug.SetGCPercent(idleGC)
		// A stack shrinks by half in each cycle, and the pool of buffers empties in the second.
		runtime.GC()
		runtime.GC()
		debug.FreeOSMemory()
	})
}
