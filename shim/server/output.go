package server

import (
	"fmt"
	"slices"
	"sync"

	"github.com/containerd/errdefs"

	"berth/shim/jsonlog"
)

// burst is as much output as leaves memory behind that is worth giving back.
const burst = 256 << 10

// output takes what a process writes to its log and to its attached clients.
type output struct {
	mu      sync.Mutex
	log     logWriter
	clients []*client
	idle    *idleTimer
	since   int  // bytes written since idle was told
	lifted  bool // the process ended: clients hold nothing back any more
	ended   bool // and all was delivered: no client may attach
}

// write delivers p. It returns when every client has room again, so a client that reads
// slowly slows the process down once its queue is full.
func (o *output) write(s jsonlog.Stream, p []byte) {
	var full []*client
	o.mu.Lock()
	o.log.Write(s, p)
	o.since += len(p)
	touch := o.since >= burst
	if touch {
		o.since = 0
	}
	for _, c := range o.clients {
		if c.enqueue(s, p) {
			full = append(full, c)
		}
	}
	o.mu.Unlock()
	if touch {
		o.idle.touch()
	}
	for _, c := range full {
		c.waitRoom()
	}
}

// streamEnded logs what a stream left without an end of line.
func (o *output) streamEnded(s jsonlog.Stream) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.log.End(s)
}

// lift lets write go on without waiting for clients: what can still come is what the
// pipes hold.
func (o *output) lift() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lifted = true
	for _, c := range o.clients {
		c.lift()
	}
}

// state is what the log knows beside its file; it is not ok if that cannot be handed
// over.
func (o *output) state() (jsonlog.State, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.log.State()
}

// trim gives back what an idle output does not need.
func (o *output) trim() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.log.Trim()
}

// closeLog ends the log.
func (o *output) closeLog() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	log := o.log
	o.log = noLog
	if err := log.Close(); err != nil {
		return fmt.Errorf("write container log: %w", err)
	}
	return nil
}

// logState returns the number of lines that were lost and why.
func (o *output) logState() (dropped uint64, reason string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.log.Err(); err != nil {
		reason = err.Error()
	}
	return o.log.Dropped(), reason
}

// attach adds c: it gets all that is written from now on.
func (o *output) attach(c *client) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return fmt.Errorf("attach: the process has ended: %w", errdefs.ErrFailedPrecondition)
	}
	if o.lifted {
		c.lift()
	}
	o.clients = append(o.clients, c)
	return nil
}

// detach removes c.
func (o *output) detach(c *client) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if i := slices.Index(o.clients, c); i >= 0 {
		o.clients = slices.Delete(o.clients, i, i+1)
		o.idle.again()
	}
}

func (o *output) attached() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.clients)
}

// end lets no client in any more and has the connections closed once what their queues
// hold is delivered.
func (o *output) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	for _, c := range o.clients {
		c.finish()
	}
}

// waitClients waits for that. A client that stops reading is given up.
func (o *output) waitClients() {
	o.mu.Lock()
	clients := slices.Clone(o.clients)
	o.mu.Unlock()
	for _, c := range clients {
		<-c.done
	}
}
