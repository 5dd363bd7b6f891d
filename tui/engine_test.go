package tui

import (
	"embed"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/volume"
)

//go:embed testdata/*.json testdata/web.log
var recorded embed.FS

// engine is an Engine API in memory, with recorded data, on a unix socket. Its
// verbs change the state and emit events as an engine does.
type engine struct {
	t      *testing.T
	socket string
	server *http.Server

	mu         sync.Mutex
	containers []container.Summary
	images     []image.Summary
	volumes    []volume.Volume
	networks   []network.Summary
	subs       map[chan events.Message]bool
	looks      map[string]uint64 // stats answered, by container
	maxLooks   uint64            // 0: no end
	requests   []string
	follow     map[string]chan string // more lines of a log
	nth        int
	given      bool   // a pull was given up
	put        string // what was copied into a container
	flood      int    // lines in the log of db
	past       []events.Message
}

// newEngine starts an engine with the recorded containers and images.
func newEngine(t *testing.T) *engine {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "tui")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	e := &engine{t: t, socket: filepath.Join(dir, "e.sock"), subs: map[chan events.Message]bool{}, looks: map[string]uint64{}, follow: map[string]chan string{}}
	load(t, "containers.json", &e.containers)
	load(t, "images.json", &e.images)
	load(t, "volumes.json", &e.volumes)
	load(t, "networks.json", &e.networks)
	e.listen()
	t.Cleanup(func() { e.server.Close() })
	return e
}

func load(t *testing.T, name string, into any) []byte {
	t.Helper()
	b, err := recorded.ReadFile("testdata/" + name)
	if err == nil && into != nil {
		err = json.Unmarshal(b, into)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// empty is an engine without anything.
func (e *engine) empty() *engine {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.containers, e.images, e.volumes, e.networks = nil, nil, nil, nil
	return e
}

// listen serves the socket; also again after stop.
func (e *engine) listen() {
	l, err := net.Listen("unix", e.socket)
	if err != nil {
		e.t.Fatal(err)
	}
	e.server = &http.Server{Handler: e.routes()}
	go e.server.Serve(l)
}

func (e *engine) stop() { e.server.Close() }

// forget empties the list of requests, wanted returns it.
func (e *engine) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.requests = nil
}

func (e *engine) wanted() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.requests)
}

func (e *engine) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_ping", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Api-Version", "1.47") })
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]any{"Platform": map[string]string{"Name": "berth"}, "Version": "0.1.0", "ApiVersion": "1.47"})
	})
	mux.HandleFunc("GET /events", e.serveEvents)
	mux.HandleFunc("GET /containers/json", e.serveList)
	mux.HandleFunc("GET /images/json", func(w http.ResponseWriter, _ *http.Request) {
		e.mu.Lock()
		defer e.mu.Unlock()
		reply(w, e.images)
	})
	e.moreRoutes(mux)
	mux.HandleFunc("GET /containers/{id}/json", e.serveInspect)
	mux.HandleFunc("GET /images/{rest...}", func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/history") {
			reply(w, []image.HistoryResponseItem{
				{CreatedBy: "/bin/sh -c #(nop)  CMD [\"nginx\"]", Created: 1795425240},
				{CreatedBy: "RUN /bin/sh -c apt-get install \x1b[2Jcurl # buildkit", Size: 41e6, Created: 1795425000},
			})
			return
		}
		w.Write(load(e.t, "image.json", nil))
	})
	mux.HandleFunc("GET /containers/{id}/logs", e.serveLogs)
	mux.HandleFunc("GET /containers/{id}/stats", e.serveStats)
	mux.HandleFunc("GET /containers/{id}/changes", func(w http.ResponseWriter, _ *http.Request) { reply(w, []any{}) })
	mux.HandleFunc("POST /containers/create", e.serveCreate)
	mux.HandleFunc("POST /containers/{id}/{verb}", e.serveVerb)
	mux.HandleFunc("DELETE /containers/{id}", e.serveRemove)
	mux.HandleFunc("POST /images/{name}/tag", e.serveTag)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if parts := strings.SplitN(r.URL.Path, "/", 3); len(parts) == 3 && strings.HasPrefix(parts[1], "v1.") {
			r.URL.Path = "/" + parts[2]
			r.URL.RawPath = ""
		}
		e.mu.Lock()
		e.requests = append(e.requests, r.Method+" "+r.URL.RequestURI())
		e.mu.Unlock()
		mux.ServeHTTP(w, r)
	})
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, code int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(map[string]string{"message": message})
}

func (e *engine) serveEvents(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Has("until") { // what happened before
		for _, m := range e.past {
			json.NewEncoder(w).Encode(m)
		}
		return
	}
	ch := make(chan events.Message, 1000)
	e.mu.Lock()
	e.subs[ch] = true
	e.mu.Unlock()
	defer func() { e.mu.Lock(); delete(e.subs, ch); e.mu.Unlock() }()
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
	for {
		select {
		case m := <-ch:
			json.NewEncoder(w).Encode(m)
			w.(http.Flusher).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

// emit sends an event to all who follow; the lock is held.
func (e *engine) emit(typ events.Type, action events.Action, id string) {
	for ch := range e.subs {
		ch <- events.Message{Type: typ, Action: action, Actor: events.Actor{ID: id}, Time: time.Now().Unix()}
	}
}

func (e *engine) serveList(w http.ResponseWriter, r *http.Request) {
	var f map[string]map[string]bool
	json.Unmarshal([]byte(r.URL.Query().Get("filters")), &f)
	e.mu.Lock()
	defer e.mu.Unlock()
	out := []container.Summary{}
	for _, c := range e.containers {
		if f["id"] == nil || f["id"][c.ID] {
			out = append(out, c)
		}
	}
	reply(w, out)
}

// find looks a container up by ID or name; the lock is held.
func (e *engine) find(ref string) *container.Summary {
	for i := range e.containers {
		if c := &e.containers[i]; c.ID == ref || c.Names[0] == "/"+ref {
			return c
		}
	}
	return nil
}

// copy is find without the lock held, for reading only.
func (e *engine) copy(ref string) *container.Summary {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.find(ref)
	if c == nil {
		return nil
	}
	out := *c
	return &out
}

// edit changes a container and emits an event.
func (e *engine) edit(ref string, action events.Action, change func(c *container.Summary)) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.find(ref)
	if c == nil {
		return false
	}
	change(c)
	e.emit(events.ContainerEventType, action, c.ID)
	return true
}

func (e *engine) serveInspect(w http.ResponseWriter, r *http.Request) {
	c := e.copy(r.PathValue("id"))
	if c == nil {
		refuse(w, http.StatusNotFound, "No such container: "+r.PathValue("id"))
		return
	}
	var info map[string]any
	load(e.t, "container.json", &info)
	info["Id"], info["Name"] = c.ID, c.Names[0]
	state := info["State"].(map[string]any)
	state["Status"], state["Paused"], state["Running"] = c.State, c.State == container.StatePaused, c.State == container.StateRunning
	if strings.HasPrefix(c.Names[0], "/shop-api") {
		info["NetworkSettings"] = map[string]any{"Networks": map[string]any{"shop_default": map[string]any{"NetworkID": strings.Repeat("5f", 32), "Aliases": []string{"api", "orders"}}}}
	}
	reply(w, info)
}

// serveStats gives every container a steady load: the n-th name in the list
// uses n·6 % of a CPU and n·3 MB.
func (e *engine) serveStats(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	id := r.PathValue("id")
	e.looks[id]++
	n := e.looks[id]
	if e.maxLooks > 0 && n > e.maxLooks {
		refuse(w, http.StatusInternalServerError, "enough")
		return
	}
	weight := uint64(0)
	for i, c := range e.containers {
		if c.ID == id {
			weight = uint64(i + 1)
		}
	}
	var s container.StatsResponse
	load(e.t, "stats.json", &s)
	s.CPUStats.CPUUsage.TotalUsage = n * weight * 60e6
	s.CPUStats.SystemUsage = n * 2e9
	s.CPUStats.OnlineCPUs = 2
	s.MemoryStats.Usage, s.MemoryStats.Stats = weight*3e6, nil
	s.MemoryStats.Limit = 8e9
	s.Read = time.Unix(int64(n), 0)
	reply(w, s)
}

func (e *engine) serveCreate(w http.ResponseWriter, r *http.Request) {
	var body struct{ Image string }
	json.NewDecoder(r.Body).Decode(&body)
	name := r.URL.Query().Get("name")
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.find(name) != nil {
		refuse(w, http.StatusConflict, "Conflict. The container name \"/"+name+"\" is already in use")
		return
	}
	e.nth++
	c := container.Summary{ID: fmt.Sprintf("%064x", e.nth), Names: []string{"/" + name}, Image: body.Image, State: container.StateCreated, Status: "Created"}
	e.containers = append(e.containers, c)
	e.emit(events.ContainerEventType, events.ActionCreate, c.ID)
	w.WriteHeader(http.StatusCreated)
	reply(w, map[string]any{"Id": c.ID, "Warnings": []string{}})
}

func (e *engine) serveVerb(w http.ResponseWriter, r *http.Request) {
	states := map[string]struct {
		state  container.ContainerState
		status string
		action events.Action
	}{
		"start": {container.StateRunning, "Up 1 second", events.ActionStart}, "stop": {container.StateExited, "Exited (0) 1 second ago", events.ActionDie},
		"restart": {container.StateRunning, "Up 1 second", events.ActionRestart}, "kill": {container.StateExited, "Exited (137) 1 second ago", events.ActionDie},
		"pause": {container.StatePaused, "Up (Paused)", events.ActionPause}, "unpause": {container.StateRunning, "Up", events.ActionUnPause},
	}
	to, ok := states[r.PathValue("verb")]
	if !ok {
		refuse(w, http.StatusNotFound, "page not found")
		return
	}
	if !e.edit(r.PathValue("id"), to.action, func(c *container.Summary) { c.State, c.Status = to.state, to.status }) {
		refuse(w, http.StatusNotFound, "No such container: "+r.PathValue("id"))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
