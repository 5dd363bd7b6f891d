// Package events distributes what happens in the engine to whoever listens.
//
// A Bus keeps the last messages in a ring. A Subscription begins with those of
// the ring that it asks for (Since) and goes on with what is published later:
// both are taken under one lock, so that nothing falls between them.
// Publish never blocks: a subscriber that falls too far behind loses its
// subscription (ErrBehind), not the engine its pace.
//
// Locking: Bus.mu guards the ring, the set of subscriptions and their queues.
package events

import (
	"context"
	"errors"
	"io"
	"maps"
	"sync"
	"time"

	"berth/engine/filter"

	"github.com/moby/moby/api/types/events"
)

const (
	ringSize   = 1024  // messages kept for Since
	queueLimit = 32768 // messages that a subscriber may be behind
)

// ErrBehind ends a subscription whose reader was too slow.
var ErrBehind = errors.New("event reader fell too far behind")

// Bus is the engine's one stream of events. The zero value is not usable; see NewBus.
type Bus struct {
	mu   sync.Mutex
	ring []events.Message // oldest at next once it is full
	next int
	last int64 // TimeNano of the youngest message
	subs map[*Subscription]struct{}
	done bool
}

// NewBus returns an empty bus.
func NewBus() *Bus {
	return &Bus{subs: make(map[*Subscription]struct{})}
}

// Publish stamps the event with the time and delivers it. Stamps never repeat
// and never go back, so that a client can go on where it stopped.
// The attributes are copied.
func (b *Bus) Publish(typ events.Type, action events.Action, id string, attrs map[string]string) {
	msg := events.Message{
		Type: typ, Action: action, Scope: "local",
		Actor: events.Actor{ID: id, Attributes: maps.Clone(attrs)},
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done {
		return
	}
	now := max(time.Now().UnixNano(), b.last+1)
	b.last, msg.TimeNano, msg.Time = now, now, now/int64(time.Second)
	if len(b.ring) < ringSize {
		b.ring = append(b.ring, msg)
	} else {
		b.ring[b.next] = msg
		b.next = (b.next + 1) % ringSize
	}
	for s := range b.subs {
		s.offer(msg)
	}
}

// Options choose what a subscription delivers.
type Options struct {
	Since time.Time // zero: nothing of the past
	Until time.Time // zero: no end
	// Filters: type, event (action), container, image, volume, network, daemon
	// (ID or name), label, scope. Values of one key are alternatives.
	Filters filter.Args
}

// Subscription is a reader's place in the stream. One goroutine reads it.
type Subscription struct {
	bus   *Bus
	opts  Options
	queue []events.Message
	wake  chan struct{} // one token: the queue or err changed
	err   error
}

// Subscribers is how many listen now.
func (b *Bus) Subscribers() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.subs)
}

// Subscribe begins a subscription; Close ends it.
func (b *Bus) Subscribe(opts Options) *Subscription {
	s := &Subscription{bus: b, opts: opts, wake: make(chan struct{}, 1)}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !opts.Since.IsZero() {
		for i := range b.ring {
			msg := b.ring[(b.next+i)%len(b.ring)]
			if msg.TimeNano >= opts.Since.UnixNano() {
				s.offer(msg)
			}
		}
	}
	if b.done {
		s.err = io.EOF
	}
	b.subs[s] = struct{}{}
	return s
}

// offer queues msg if the subscription wants it. The bus is locked.
func (s *Subscription) offer(msg events.Message) {
	if s.err != nil || !s.opts.match(msg) || !s.opts.Until.IsZero() && msg.TimeNano > s.opts.Until.UnixNano() {
		return
	}
	if len(s.queue) >= queueLimit {
		s.queue, s.err = nil, ErrBehind
	} else {
		s.queue = append(s.queue, msg)
	}
	s.signal()
}

func (s *Subscription) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Next returns the next message. It returns io.EOF when Until has passed or the
// bus was closed, ErrBehind when the reader was too slow, and ctx's error.
func (s *Subscription) Next(ctx context.Context) (events.Message, error) {
	var until <-chan time.Time
	if !s.opts.Until.IsZero() {
		timer := time.NewTimer(time.Until(s.opts.Until))
		defer timer.Stop()
		until = timer.C
	}
	for {
		s.bus.mu.Lock()
		if len(s.queue) > 0 {
			msg := s.queue[0]
			s.queue = s.queue[1:]
			s.bus.mu.Unlock()
			return msg, nil
		}
		err := s.err
		s.bus.mu.Unlock()
		if err != nil {
			return events.Message{}, err
		}
		select {
		case <-s.wake:
		case <-until:
			s.end(io.EOF)
		case <-ctx.Done():
			return events.Message{}, ctx.Err()
		}
	}
}

// end lets Next deliver what is queued, and then err.
func (s *Subscription) end(err error) {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
}

// Close ends the subscription. It is idempotent.
func (s *Subscription) Close() {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	delete(s.bus.subs, s)
	s.queue = nil
	if s.err == nil {
		s.err = io.EOF
	}
}

// Close ends all subscriptions once they have delivered what they hold;
// later messages are dropped.
func (b *Bus) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done = true
	for s := range b.subs {
		if s.err == nil {
			s.err = io.EOF
		}
		s.signal()
	}
}
