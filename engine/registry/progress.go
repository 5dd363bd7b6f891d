package registry

import (
	"sync"
	"time"

	"github.com/moby/moby/api/types/jsonstream"
	"github.com/opencontainers/go-digest"

	"berth/store/image"
)

// Report receives what happens, in docker's messages. It is never called
// twice at a time.
type Report func(jsonstream.Message)

// reporter passes messages on, in order, from a goroutine of its own: a client
// that is slow to read must not hold up a layer that others wait for, too.
type reporter struct {
	send Report
	done chan struct{}

	mu      sync.Mutex
	waiting []jsonstream.Message
	more    *sync.Cond // waiting or closed has changed
	closed  bool
}

// newReporter begins to pass messages on. The reporter must be closed.
func newReporter(send Report) *reporter {
	if send == nil {
		send = func(jsonstream.Message) {}
	}
	r := &reporter{send: send, done: make(chan struct{})}
	r.more = sync.NewCond(&r.mu)
	go r.run()
	return r
}

func (r *reporter) run() {
	defer close(r.done)
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		for len(r.waiting) == 0 {
			if r.closed {
				return
			}
			r.more.Wait()
		}
		all := r.waiting
		r.waiting = nil
		r.mu.Unlock()
		for _, m := range all {
			r.send(m)
		}
		r.mu.Lock()
	}
}

// close returns when all messages are passed on.
func (r *reporter) close() {
	r.mu.Lock()
	r.closed = true
	r.more.Signal()
	r.mu.Unlock()
	<-r.done
}

// put queues a message; mu is held.
func (r *reporter) put(m jsonstream.Message) {
	r.waiting = append(r.waiting, m)
	r.more.Signal()
}

// message reports one line that is not of a layer; id may be "".
func (r *reporter) message(id, status string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.put(jsonstream.Message{ID: id, Status: status})
}

// aux reports a message for programs.
func (r *reporter) aux(m jsonstream.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m.Progress = &jsonstream.Progress{}
	r.put(m)
}

// layer is the line of one layer or blob.
func (r *reporter) layer(id digest.Digest) *line { return &line{r: r, id: short(id)} }

// short is how docker's messages name blobs.
func short(id digest.Digest) string {
	hex := id.Encoded()
	return hex[:min(12, len(hex))]
}

// reportEvery is the time between two messages about bytes of one layer.
const reportEvery = 100 * time.Millisecond

// line is what is reported of one layer. Its methods may be called from any
// goroutine.
type line struct {
	r       *reporter
	id      string
	present bool // nothing will be pulled
	// Guarded by r.mu: what was told last, and when.
	last    time.Time
	current int64
}

// status reports a new state.
func (l *line) status(text string) {
	l.r.mu.Lock()
	defer l.r.mu.Unlock()
	l.last, l.current = time.Time{}, 0
	l.r.put(jsonstream.Message{ID: l.id, Status: text, Progress: &jsonstream.Progress{}})
}

// bytes reports progress, unless it has just done so. The first bytes and the
// last are always told, none are not.
func (l *line) bytes(text string, current, total int64) {
	l.r.mu.Lock()
	defer l.r.mu.Unlock()
	if now := time.Now(); current > l.current && (current >= total || now.Sub(l.last) >= reportEvery) {
		l.last, l.current = now, current
		l.r.put(jsonstream.Message{ID: l.id, Status: text, Progress: &jsonstream.Progress{Current: current, Total: total}})
	}
}

// progress puts into docker's words how far the store is with a layer.
func (l *line) progress(p image.Progress) {
	switch p.Stage {
	case image.LayerFetching:
		l.bytes("Downloading", p.Current, p.Total)
	case image.LayerFetched:
		l.status("Verifying Checksum")
		l.status("Download complete")
	case image.LayerUnpacking:
		l.bytes("Extracting", p.Current, p.Total)
	case image.LayerDone:
		l.status("Pull complete")
	case image.LayerPresent:
		if !l.present { // somebody else has just pulled it
			l.status("Already exists")
		}
	}
}
