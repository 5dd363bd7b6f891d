package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"

	"berth/tui/logs"
)

// inbox collects what a feed sends.
type inbox struct {
	mu   sync.Mutex
	msgs []tea.Msg
	more chan struct{}
}

func (b *inbox) send(m tea.Msg) {
	b.mu.Lock()
	b.msgs = append(b.msgs, m)
	close(b.more)
	b.more = make(chan struct{})
	b.mu.Unlock()
}

// wait returns the messages as soon as one fulfils a condition.
func (b *inbox) wait(t *testing.T, what string, cond func(tea.Msg) bool) []tea.Msg {
	t.Helper()
	timeout := time.After(10 * time.Second)
	for {
		b.mu.Lock()
		msgs, more := b.msgs, b.more
		b.mu.Unlock()
		for _, m := range msgs {
			if cond(m) {
				return msgs
			}
		}
		select {
		case <-more:
		case <-timeout:
			t.Fatalf("no %s among %v", what, msgs)
		}
	}
}

// newFeed is a feed on a server with the given routes.
func newFeed(t *testing.T, routes map[string]http.HandlerFunc) (*Feed, *inbox) {
	t.Helper()
	mux := http.NewServeMux()
	for pattern, h := range routes {
		mux.HandleFunc(pattern, h)
	}
	for path, none := range map[string]string{"/volumes": `{"Volumes":[]}`, "/networks": `[]`} { // most tests are not about them
		if routes["GET "+path] == nil {
			mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, none) })
		}
	}
	if routes["/"] == nil {
		mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, `{"message":"no such route"}`, http.StatusNotFound)
		})
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/_ping" {
			w.Header().Set("Api-Version", "1.47")
			return
		}
		r.URL.Path = "/" + strings.SplitN(r.URL.Path, "/", 3)[2]
		mux.ServeHTTP(w, r)
	}))
	c, err := client.New(client.WithHost("tcp://" + srv.Listener.Addr().String()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(func() { cancel(); srv.CloseClientConnections(); srv.Close() })
	f, b := New(ctx, c), &inbox{more: make(chan struct{})}
	f.SendTo(b.send)
	return f, b
}

func answer(v any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(v)
	}
}

// isPast tells whether a message is what happened before.
func isPast(m tea.Msg) bool {
	p, ok := m.(Past)
	return ok && len(p.Events) == 1 && p.Events[0].Action == "create"
}

// An event that comes while the snapshot is taken is handed over after it.
func TestNothingFallsBetweenSnapshotAndEvents(t *testing.T) {
	subscribed, emit := make(chan struct{}), make(chan struct{})
	f, in := newFeed(t, map[string]http.HandlerFunc{
		"/events": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has("until") {
				json.NewEncoder(w).Encode(events.Message{Type: "container", Action: "create", Actor: events.Actor{ID: "a"}})
				return
			}
			w.WriteHeader(200)
			w.(http.Flusher).Flush()
			close(subscribed)
			<-emit
			json.NewEncoder(w).Encode(events.Message{Type: "container", Action: "die", Actor: events.Actor{ID: "a"}})
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
		"/containers/json": func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-subscribed:
			case <-time.After(5 * time.Second):
				t.Error("the snapshot is taken before the subscription")
			}
			close(emit)
			answer([]container.Summary{{ID: "a"}})(w, r)
		},
		"/images/json": answer([]any{}),
		"/version":     answer(map[string]any{"Version": "1", "Platform": map[string]string{"Name": "berth"}}),
	})
	f.Go(f.Watch)
	in.wait(t, "version", func(m tea.Msg) bool { v, ok := m.(Version); return ok && v.Name == "berth" })
	msgs := in.wait(t, "event", func(m tea.Msg) bool { _, ok := m.(Event); return ok })
	if !slices.ContainsFunc(msgs, isPast) {
		in.wait(t, "what was before", isPast)
	}
	var order []string
	for _, m := range msgs {
		switch m.(type) {
		case Containers, Images:
			order = append(order, "snapshot")
		case Event:
			order = append(order, "event")
		}
	}
	if fmt.Sprint(order) != "[snapshot snapshot event]" {
		t.Errorf("order %v", order)
	}
}

func TestAnEngineThatIsGoneIsTriedAgain(t *testing.T) {
	tries := make(chan struct{}, 100)
	f, in := newFeed(t, map[string]http.HandlerFunc{
		"/events": func(w http.ResponseWriter, _ *http.Request) {
			tries <- struct{}{}
			http.Error(w, `{"message":"starting"}`, http.StatusServiceUnavailable)
		},
		"/": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"message":"starting"}`, http.StatusServiceUnavailable)
		},
	})
	f.Go(f.Watch)
	in.wait(t, "gone", func(m tea.Msg) bool {
		g, ok := m.(Gone)
		return ok && strings.Contains(g.Err.Error(), "starting")
	})
	for range 3 {
		select {
		case <-tries:
		case <-time.After(10 * time.Second):
			t.Fatal("not tried again")
		}
	}
}

func TestOneRowIsFetched(t *testing.T) {
	var filter string
	f, _ := newFeed(t, map[string]http.HandlerFunc{"/containers/json": func(w http.ResponseWriter, r *http.Request) {
		filter = r.URL.Query().Get("filters")
		answer([]container.Summary{{ID: "abc", State: "running"}})(w, r)
	}})
	row, ok := f.FetchRow("abc", time.Millisecond)().(Row)
	if !ok || row.Err != nil || row.Summary == nil || row.Summary.State != "running" || !strings.Contains(filter, "abc") {
		t.Errorf("%+v with %s", row, filter)
	}
	if row = f.FetchRow("ab", 0)().(Row); row.Summary != nil {
		t.Error("a prefix is taken for the container")
	}
	if img := f.FetchImages()().(Images); img.Err == nil || !img.Answer {
		t.Errorf("%+v", img)
	}
}

func TestLogsComeInBatchesAndEnd(t *testing.T) {
	f, in := newFeed(t, map[string]http.HandlerFunc{
		"/containers/a/json": answer(map[string]any{"Id": "a", "Config": map[string]any{"Tty": true}}),
		"/containers/a/logs": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("tail") != "7" || r.URL.Query().Get("timestamps") != "1" {
				t.Errorf("asked for %s", r.URL.RawQuery)
			}
			for i := range 20000 {
				fmt.Fprintf(w, "2026-11-23T09:14:02.123456789Z line %d\n", i)
			}
		},
	})
	one := func(id string, stream int, tail string) LogRequest {
		return LogRequest{Stream: stream, Sources: []logs.Source{{ID: id}}, Tail: tail, Gate: &Gate{}}
	}
	f.OpenLogs(t.Context(), one("a", 3, "7"))()
	n := 0
	for _, m := range in.wait(t, "end", func(m tea.Msg) bool { end, ok := m.(LogEnd); return ok && end.Stream == 3 && end.Err == nil }) {
		if b, ok := m.(LogLines); ok {
			for _, l := range b.Lines {
				if l.Text != fmt.Sprintf("line %d", n) || l.Time == "" {
					t.Fatalf("line %d is %+v", n, l)
				}
				n++
			}
		}
	}
	if n != 20000 {
		t.Errorf("%d lines", n)
	}
	f.OpenLogs(t.Context(), one("nobody", 4, "all"))()
	in.wait(t, "an error for a container that is not there", func(m tea.Msg) bool { end, ok := m.(LogEnd); return ok && end.Stream == 4 && end.Err != nil })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f.OpenLogs(ctx, one("a", 5, "7"))()
	for _, m := range in.wait(t, "anything", func(tea.Msg) bool { return true }) {
		if end, ok := m.(LogEnd); ok && end.Stream == 5 {
			t.Errorf("a stream that was given up says %v", end)
		}
	}
}

// A reader that is far ahead waits, and nothing is lost.
func TestABatcherBoundsWhatIsPending(t *testing.T) {
	got := 0
	gate := make(chan struct{})
	b := newBatcher(func(lines []logs.Line) { <-gate; got += len(lines) })
	done := make(chan struct{})
	go func() { defer close(done); b.run(t.Context()) }()
	const all = 3 * maxPending
	added := make(chan struct{})
	go func() {
		defer close(added)
		for range all {
			b.add(t.Context(), logs.Line{})
		}
		b.close()
	}()
	close(gate)
	<-added
	<-done
	if got != all {
		t.Errorf("%d of %d lines", got, all)
	}
}

// A gate that is shut holds everything back and loses nothing.
func TestAGateHoldsAStreamBack(t *testing.T) {
	f, in := newFeed(t, map[string]http.HandlerFunc{
		"/containers/a/json": answer(map[string]any{"Id": "a", "Config": map[string]any{"Tty": true}}),
		"/containers/a/logs": func(w http.ResponseWriter, _ *http.Request) {
			for i := range 1000 {
				fmt.Fprintf(w, "line %d\n", i)
			}
		},
	})
	var gate Gate
	gate.Hold(true)
	gate.Hold(true)
	done := make(chan tea.Msg)
	go func() {
		done <- f.OpenLogs(t.Context(), LogRequest{Stream: 1, Sources: []logs.Source{{ID: "a"}}, Tail: "all", Gate: &gate})()
	}()
	select {
	case msg := <-done:
		t.Fatalf("a stream behind a shut gate ends: %v", msg)
	case <-time.After(200 * time.Millisecond): // long enough for what must not come
	}
	if in.mu.Lock(); len(in.msgs) != 0 {
		t.Errorf("%d messages came through", len(in.msgs))
	}
	in.mu.Unlock()
	gate.Hold(false)
	<-done
	n := 0
	for _, m := range in.msgs {
		if b, ok := m.(LogLines); ok {
			n += len(b.Lines)
		}
	}
	if n != 1000 {
		t.Errorf("%d lines", n)
	}
	gate.Hold(true)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	gate.pass(ctx) // does not wait for a gate nobody will open
}

func TestStats(t *testing.T) {
	f, _ := newFeed(t, map[string]http.HandlerFunc{"/containers/a/stats": func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("one-shot") == "" && r.URL.Query().Get("stream") != "0" && r.URL.Query().Get("stream") != "false" {
			t.Errorf("asked for %s", r.URL.RawQuery)
		}
		var s container.StatsResponse
		s.CPUStats.CPUUsage.TotalUsage = 5e8
		s.MemoryStats.Usage, s.MemoryStats.Stats = 100, map[string]uint64{"inactive_file": 30}
		s.Networks = map[string]container.NetworkStats{"eth0": {RxBytes: 1, TxBytes: 2}, "eth1": {RxBytes: 10}}
		s.BlkioStats.IoServiceBytesRecursive = []container.BlkioStatEntry{{Op: "Read", Value: 3}, {Op: "write", Value: 4}, {Op: "Total", Value: 9}}
		answer(s)(w, r)
	}})
	got := f.Poll([]string{"a", "gone"})().(Stats).Samples
	s := got["a"]
	if len(got) != 1 || s.CPU != 5e8 || s.Memory != 70 || s.RX != 11 || s.TX != 2 || s.Read != 3 || s.Written != 4 {
		t.Errorf("%+v", got)
	}
}

func TestPercent(t *testing.T) {
	at := time.Unix(100, 0)
	before := Sample{CPU: 1e9, System: 10e9, CPUs: 4, At: at}
	for _, c := range []struct {
		now  Sample
		want float64
	}{
		{Sample{CPU: 2e9, System: 14e9, CPUs: 4, At: at.Add(time.Second)}, 100},
		{Sample{CPU: 15e8, At: at.Add(time.Second)}, 50}, // no host time: by the clock
		{Sample{CPU: 0, At: at.Add(time.Second)}, 0},     // restarted
		{Sample{CPU: 2e9, At: at}, 0},
	} {
		if got := Percent(before, c.now); got != c.want {
			t.Errorf("%+v: %v, want %v", c.now, got, c.want)
		}
	}
}

func TestInspecting(t *testing.T) {
	f, _ := newFeed(t, map[string]http.HandlerFunc{
		"/containers/a/json": answer(map[string]any{"Id": "a"}),
		"/images/i/json":     answer(map[string]any{"Id": "i"}),
	})
	if got := f.InspectContainer("a")().(Inspected); string(got.JSON) != "{\n  \"Id\": \"a\"\n}\n" && string(got.JSON) != "{\n  \"Id\": \"a\"\n}" {
		t.Errorf("%s, %v", got.JSON, got.Err)
	}
	if got := f.InspectImage("i")().(Inspected); !strings.Contains(string(got.JSON), `"Id": "i"`) {
		t.Errorf("%s, %v", got.JSON, got.Err)
	}
	if got := f.InspectImage("nobody")().(Inspected); got.Err == nil {
		t.Error("no error")
	}
}

// A container that was created but cannot be started does not stay.
func TestRunningAnImageLeavesNothingHalfMade(t *testing.T) {
	removed := false
	f, _ := newFeed(t, map[string]http.HandlerFunc{
		"POST /containers/create": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusCreated)
			answer(map[string]any{"Id": "new", "Warnings": []string{"careful"}})(w, r)
		},
		"POST /containers/new/start": func(w http.ResponseWriter, _ *http.Request) {
			if !removed {
				http.Error(w, `{"message":"port is taken"}`, http.StatusInternalServerError)
			}
		},
		"DELETE /containers/new": func(w http.ResponseWriter, _ *http.Request) { removed = true },
	})
	o := client.ContainerCreateOptions{Name: "n", Config: &container.Config{Image: "i"}}
	if got := f.RunImage(o, true)().(Ran); got.Err == nil || !strings.Contains(got.Err.Error(), "port is taken") || !removed {
		t.Errorf("%+v, removed %v", got, removed)
	}
	if got := f.RunImage(o, true)().(Ran); got.Err != nil || got.ID != "new" || len(got.Warnings) != 1 {
		t.Errorf("%+v", got)
	}
}

func TestDoAndPanics(t *testing.T) {
	f, in := newFeed(t, nil)
	broken := errors.New("broken")
	d := f.Do(Done{Verb: "stop", ID: "a"}, func(context.Context, *client.Client) error { return broken })().(Done)
	if !errors.Is(d.Err, broken) || d.Verb != "stop" {
		t.Errorf("%+v", d)
	}
	f.Go(func() { panic("oh") })
	in.wait(t, "panic", func(m tea.Msg) bool { p, ok := m.(Panicked); return ok && p.Value == "oh" && len(p.Stack) > 0 })
}
