package events

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moby/moby/api/types/events"
)

func publish(b *Bus, n int) {
	for i := range n {
		b.Publish(events.ContainerEventType, events.ActionCreate, fmt.Sprint(i), map[string]string{"name": fmt.Sprint("c", i)})
	}
}

func TestNothingIsLostBetweenListAndSubscribe(t *testing.T) {
	b := NewBus()
	begin := time.Now()
	const total = 500
	var wg sync.WaitGroup
	wg.Go(func() { publish(b, total) })
	sub := b.Subscribe(Options{Since: begin})
	defer sub.Close()
	last := int64(0)
	for i := range total {
		msg, err := sub.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if msg.Actor.ID != fmt.Sprint(i) {
			t.Fatalf("event %d is that of %s", i, msg.Actor.ID)
		}
		if msg.TimeNano <= last {
			t.Fatal("stamps must grow")
		}
		last = msg.TimeNano
	}
	wg.Wait()
}

func TestRingKeepsTheYoungest(t *testing.T) {
	b := NewBus()
	begin := time.Now()
	publish(b, ringSize+10)
	sub := b.Subscribe(Options{Since: begin, Until: time.Now()})
	defer sub.Close()
	n := 0
	for {
		msg, err := sub.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprint(n + 10); msg.Actor.ID != want {
			t.Fatalf("got %s, want %s", msg.Actor.ID, want)
		}
		n++
	}
	if n != ringSize {
		t.Errorf("got %d events, want %d", n, ringSize)
	}
}

func TestUntilEndsAtItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBus()
		sub := b.Subscribe(Options{Until: time.Now().Add(time.Hour)})
		defer sub.Close()
		publish(b, 1)
		if _, err := sub.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if _, err := sub.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Fatalf("got %v, want the end", err)
		}
		if waited := time.Since(begin); waited != time.Hour {
			t.Errorf("ended after %v", waited)
		}
		publish(b, 1)
		if _, err := sub.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Error("an event after until must not be delivered")
		}
	})
}

func TestSlowReaderLosesItsSubscriptionOnly(t *testing.T) {
	b := NewBus()
	slow, other := b.Subscribe(Options{}), b.Subscribe(Options{Filters: map[string][]string{"container": {"7"}}})
	defer slow.Close()
	defer other.Close()
	publish(b, queueLimit+1)
	if _, err := slow.Next(t.Context()); !errors.Is(err, ErrBehind) {
		t.Errorf("got %v, want %v", err, ErrBehind)
	}
	if msg, err := other.Next(t.Context()); err != nil || msg.Actor.ID != "7" {
		t.Errorf("got %v, %v", msg, err)
	}
}

func TestCloseDeliversWhatIsQueued(t *testing.T) {
	b := NewBus()
	sub := b.Subscribe(Options{})
	publish(b, 2)
	b.Close()
	publish(b, 1)
	for range 2 {
		if _, err := sub.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := sub.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want the end", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := NewBus().Subscribe(Options{}).Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestFilters(t *testing.T) {
	ctr := events.Message{Type: events.ContainerEventType, Action: "exec_start: sh -c true", Scope: "local",
		Actor: events.Actor{ID: "abcdef", Attributes: map[string]string{"name": "web", "image": "busybox:latest", "tier": "front"}}}
	img := events.Message{Type: events.ImageEventType, Action: events.ActionPull, Scope: "local",
		Actor: events.Actor{ID: "sha256:12", Attributes: map[string]string{"name": "busybox:latest"}}}
	for _, c := range []struct {
		filters  map[string][]string
		ctr, img bool
	}{
		{nil, true, true},
		{map[string][]string{"type": {"container"}}, true, false},
		{map[string][]string{"event": {"exec_start"}}, true, false},
		{map[string][]string{"event": {"exec"}}, false, false},
		{map[string][]string{"event": {"pull", "die"}}, false, true},
		{map[string][]string{"container": {"web"}}, true, false},
		{map[string][]string{"container": {"/web"}}, false, false},
		{map[string][]string{"container": {"we"}}, true, false},
		{map[string][]string{"volume": {"busy"}}, false, true},
		{map[string][]string{"container": {"abc"}}, true, false},
		{map[string][]string{"container": {""}}, true, true},
		{map[string][]string{"image": {"busybox"}}, true, true},
		{map[string][]string{"image": {"busybox:latest"}}, true, true},
		{map[string][]string{"image": {"busybox:1"}}, false, false},
		{map[string][]string{"label": {"tier=front", "name"}}, true, false},
		{map[string][]string{"label": {"tier=back"}}, false, false},
		{map[string][]string{"scope": {"local"}, "type": {"image", "container"}}, true, true},
		{map[string][]string{"nonsense": {"x"}}, true, true},
	} {
		o := Options{Filters: c.filters}
		if o.match(ctr) != c.ctr || o.match(img) != c.img {
			t.Errorf("%v: container %v, image %v", c.filters, o.match(ctr), o.match(img))
		}
	}
}
