package feed

import (
	"context"
	"sync"
)

// Gate holds a stream back without losing any of it: what is not read stays
// with the engine. The zero value is open. Its lock is a leaf.
type Gate struct {
	mu   sync.Mutex
	shut chan struct{} // closed when the gate opens, nil while it is open
}

// Hold shuts or opens the gate.
func (g *Gate) Hold(on bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case on && g.shut == nil:
		g.shut = make(chan struct{})
	case !on && g.shut != nil:
		close(g.shut)
		g.shut = nil
	}
}

// pass waits until the gate is open or ctx ends.
func (g *Gate) pass(ctx context.Context) {
	for {
		g.mu.Lock()
		shut := g.shut
		g.mu.Unlock()
		if shut == nil {
			return
		}
		select {
		case <-shut:
		case <-ctx.Done():
			return
		}
	}
}
