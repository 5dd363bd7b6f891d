package api

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/api/types/events"
)

// TestEventsUnderLoad has clients that leave in the middle of a burst and come back with the time of the last event they
// saw, as consoles do after a cut: together they have seen each event, and each once.
func TestEventsUnderLoad(t *testing.T) {
	f := serve(t)
	const total, clients, step = 900, 5, 70 // fewer than the past that is kept
	begin := time.Now().UnixNano()
	var all sync.WaitGroup
	for n := range clients {
		all.Go(func() {
			next, since := 0, begin
			for next < total {
				req, err := http.NewRequestWithContext(t.Context(), "GET", fmt.Sprintf("http://berth/events?since=%d.%09d", since/1e9, since%1e9), nil)
				if err != nil {
					t.Error(err)
					return
				}
				resp, err := f.http.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				lines := bufio.NewReader(resp.Body)
				for range step + n {
					var e events.Message
					text, err := lines.ReadBytes('\n')
					if err == nil {
						err = json.Unmarshal(text, &e)
					}
					if err != nil || e.Actor.ID != fmt.Sprint(next) {
						t.Errorf("client %d got %s, %v, want event %d", n, text, err, next)
						resp.Body.Close()
						return
					}
					since = e.TimeNano + 1
					if next++; next == total {
						break
					}
				}
				resp.Body.Close()
			}
		})
	}
	for n := range total {
		f.bus.Publish(events.ContainerEventType, events.ActionCreate, fmt.Sprint(n), nil)
	}
	all.Wait()
	eventually(t, "nobody listens any more", func() bool { return f.bus.Subscribers() == 0 })
	// What is over ends at once, what is to come at its time.
	f.expect("GET", "/events?since=1&until=2", "", 200, "")
	soon := time.Now().Add(50 * time.Millisecond).UnixNano()
	f.expect("GET", fmt.Sprintf("/events?until=%d.%09d", soon/1e9, soon%1e9), "", 200, "")
	if time.Now().UnixNano() < soon {
		t.Error("it ended before its time")
	}
}
