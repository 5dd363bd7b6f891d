package server

import (
	"runtime/debug"
	"sync"
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
	mu sync.Mutex
	t  *time.Timer
}

// touch says that there was work.
func (i *idleTimer) touch() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.t != nil {
		i.t.Reset(idleAfter)
		return
	}
	i.t = time.AfterFunc(idleAfter, func() {
		debug.SetGCPercent(idleGC)
		debug.FreeOSMemory()
	})
}
