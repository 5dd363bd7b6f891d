package jsonlog

import (
	"bytes"
	"sync"
)

// Ring puts a bounded queue before a Writer, for containers that must not wait for a
// slow log. What finds no room is dropped and counted. It is safe for concurrent use.
type Ring struct {
	w   *Writer // run's, and whoever holds mu while run is idle
	max int

	mu      sync.Mutex
	changed sync.Cond
	queue   []chunk
	size    int  // bytes in the queue
	busy    bool // run works on what it took
	closed  bool
	dropped uint64 // by the queue
	told    uint64 // by w, when run last looked
	err     error  // w's
}

// chunk is output of one stream, or its end.
type chunk struct {
	stream Stream
	text   []byte
	end    bool
}

// NewRing makes a queue of so many bytes before w, which is the ring's from then on.
func NewRing(w *Writer, bytes int) *Ring {
	r := &Ring{w: w, max: bytes, told: w.Dropped()}
	r.changed.L = &r.mu
	go r.run()
	return r
}

// Write queues output of stream s. An empty queue takes more than it has room for, as
// docker's does: a line longer than the queue is not lost for ever.
func (r *Ring) Write(s Stream, p []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.size > 0 && r.size+len(p) > r.max {
		r.dropped += uint64(max(1, bytes.Count(p, []byte{'\n'})))
		return
	}
	r.size += len(p)
	r.put(chunk{stream: s, text: bytes.Clone(p)})
}

// End queues the end of stream s.
func (r *Ring) End(s Stream) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.put(chunk{stream: s, end: true})
}

func (r *Ring) put(c chunk) {
	r.queue = append(r.queue, c)
	r.changed.Broadcast()
}

// run writes what is queued until the ring is closed and empty.
func (r *Ring) run() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		for len(r.queue) == 0 && !r.closed {
			r.changed.Wait()
		}
		if len(r.queue) == 0 {
			return
		}
		c := r.queue[0]
		r.queue = r.queue[1:]
		r.busy = true
		r.mu.Unlock()
		if c.end {
			r.w.End(c.stream)
		} else {
			r.w.Write(c.stream, c.text)
		}
		dropped, err := r.w.Dropped(), r.w.Err()
		r.mu.Lock()
		r.size -= len(c.text)
		r.busy, r.told, r.err = false, dropped, err
		r.changed.Broadcast()
	}
}

// idle says whether the writer is nobody's at the moment; the caller holds mu.
func (r *Ring) idle() bool { return len(r.queue) == 0 && !r.busy }

// State is Writer.State. It is not ok while something is queued.
func (r *Ring) State() (State, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.idle() {
		return State{}, false
	}
	s, ok := r.w.State()
	s.Dropped += r.dropped
	return s, ok
}

// Trim is Writer.Trim.
func (r *Ring) Trim() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.idle() {
		r.w.Trim()
		r.queue = nil
	}
}

// Dropped is the number of lines that found no room or could not be written.
func (r *Ring) Dropped() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.dropped + r.told
}

// Err is Writer.Err.
func (r *Ring) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// Close writes what is queued and closes the writer.
func (r *Ring) Close() error {
	r.mu.Lock()
	r.closed = true
	r.changed.Broadcast()
	for !r.idle() {
		r.changed.Wait()
	}
	r.mu.Unlock()
	return r.w.Close()
}
