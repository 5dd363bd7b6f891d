package state

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
)

// world is an engine of which the state is told by events, with answers that
// take their time and arrive in any order.
type world struct {
	rnd     *rand.Rand
	now     map[string]container.ContainerState
	fetches map[string]int // under way
}

// change does something to a container and returns its event.
func (w *world) change(id string) events.Message {
	st, there := w.now[id]
	switch {
	case !there:
		w.now[id] = container.StateCreated
		return event(events.ActionCreate, id)
	case st == container.StateRunning && w.rnd.IntN(2) == 0:
		w.now[id] = container.StatePaused
		return event(events.ActionPause, id)
	case st == container.StatePaused:
		w.now[id] = container.StateRunning
		return event(events.ActionUnPause, id)
	case st == container.StateRunning:
		w.now[id] = container.StateExited
		return event(events.ActionDie, id)
	case w.rnd.IntN(3) == 0:
		delete(w.now, id)
		return event(events.ActionDestroy, id)
	}
	w.now[id] = container.StateRunning
	return event(events.ActionStart, id)
}

// answer is what a fetch that ends now brings.
func (w *world) answer(id string) *container.Summary {
	st, there := w.now[id]
	if !there {
		return nil
	}
	s := summary(id, "name-"+id, st)
	return &s
}

// However events and answers fall, in the end the console shows what is true,
// and no row is fetched twice at once.
func TestTheStateComesTrue(t *testing.T) {
	for seed := range uint64(50) {
		w := &world{rnd: rand.New(rand.NewPCG(seed, 5)), now: map[string]container.ContainerState{}, fetches: map[string]int{}}
		s := New()
		s.SetContainers(nil)
		begin := func(id string) {
			if w.fetches[id]++; w.fetches[id] > 1 {
				t.Fatalf("seed %d: %s is fetched twice at once", seed, id)
			}
		}
		end := func(id string) {
			w.fetches[id]--
			if again, _ := s.PutRow(id, w.answer(id)); again {
				begin(id)
			}
		}
		for range 300 {
			id := fmt.Sprint(w.rnd.IntN(6))
			if w.rnd.IntN(2) == 0 {
				if f, ref := s.Event(w.change(id)); f == Row {
					begin(ref)
				}
			} else if w.fetches[id] > 0 {
				end(id)
			}
		}
		for id := range w.fetches {
			for w.fetches[id] > 0 {
				end(id)
			}
		}
		if _, all := s.Counts(); all != len(w.now) {
			t.Errorf("seed %d: %d containers are shown, there are %d", seed, all, len(w.now))
		}
		for id, st := range w.now {
			if c, ok := s.Container(id); !ok || c.State != st {
				t.Errorf("seed %d: %s is shown as %q, it is %q", seed, id, c.State, st)
			}
		}
	}
}

func TestBusyAndFailed(t *testing.T) {
	s := New()
	if c, i := s.Loaded(); c || i {
		t.Error("loaded before anything came")
	}
	s.SetContainers([]container.Summary{summary("a", "web", container.StateRunning)})
	s.SetImages(nil)
	if c, i := s.Loaded(); !c || !i {
		t.Error("not loaded")
	}
	s.SetBusy("a", "stopping")
	s.SetBusy("nobody", "stopping")
	stopped := summary("a", "web", container.StateExited)
	s.Event(event(events.ActionDie, "a"))
	s.PutRow("a", &stopped)
	if c, _ := s.Container("a"); c.Busy != "stopping" {
		t.Error("the verb under way is forgotten when its row comes")
	}
	s.SetBusy("a", "")
	if c, _ := s.Container("a"); c.Busy != "" {
		t.Error("busy for ever")
	}
	s.Event(event(events.ActionStart, "a"))
	s.Failed("a")
	if f, _ := s.Event(event(events.ActionStart, "a")); f != Row {
		t.Error("a fetch that failed blocks the next")
	}
}

func TestWhatSummariesLack(t *testing.T) {
	s := container.Summary{ID: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", Image: "sha256:0123456789abcdef", Status: "Exited (many)"}
	c := FromSummary(s)
	if c.Name != s.ID[:12] || c.Image != "0123456789ab" || c.Exit != 0 || c.Ports != "" || c.Project != "" {
		t.Errorf("%+v", c)
	}
	s.Health = &container.HealthSummary{Status: container.Unhealthy}
	if FromSummary(s).Health != container.Unhealthy {
		t.Error("the engine's word on health does not count")
	}
	for in, want := range map[string]string{"sha256:0123456789abcdef": "0123456789ab", "short": "short", "": ""} {
		if got := Short(in); got != want {
			t.Errorf("%q is short for %q", got, in)
		}
	}
}
