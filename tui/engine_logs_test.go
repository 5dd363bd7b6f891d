package tui

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
)

// serveLogs writes the log of a container, and what print adds to it later.
func (e *engine) serveLogs(w http.ResponseWriter, r *http.Request) {
	c := e.copy(r.PathValue("id"))
	e.mu.Lock()
	more := make(chan string, 1000)
	follow := r.URL.Query().Get("follow") == "1"
	if c != nil && follow {
		e.follow[c.Names[0]] = more
	} else if c != nil { // who reads what is there follows later
		delete(e.follow, c.Names[0])
	}
	e.mu.Unlock()
	w.WriteHeader(http.StatusOK)
	_, fraction, _ := strings.Cut(r.URL.Query().Get("since"), ".")
	again := strings.Trim(fraction, "0") != "" // reading on: what is there has been read
	if c != nil && c.Names[0] == "/web" && !again {
		for line := range strings.Lines(string(load(e.t, "web.log", nil))) {
			writeFrame(w, line)
		}
	}
	if c != nil && c.Names[0] == "/db" && !again {
		e.mu.Lock()
		flood := e.flood
		e.mu.Unlock()
		for n := range flood {
			writeFrame(w, fmt.Sprintf("2026-11-23T09:14:02.%09dZ line %d of a flood of lines\n", n, n))
		}
	}
	w.(http.Flusher).Flush()
	if c == nil || !follow || c.State == container.StateExited || c.State == container.StateCreated {
		return
	}
	for {
		select {
		case line := <-more:
			writeFrame(w, line)
			w.(http.Flusher).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

// writeFrame writes one line in the stream format; "2|" in front makes it stderr.
func writeFrame(w http.ResponseWriter, line string) {
	head := make([]byte, 8)
	head[0] = 1
	if rest, ok := strings.CutPrefix(line, "2|"); ok {
		head[0], line = 2, rest
	}
	binary.BigEndian.PutUint32(head[4:], uint32(len(line)))
	w.Write(append(head, line...))
}

// print adds a line to a log, as soon as somebody follows it.
func (e *engine) print(name, line string) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		e.mu.Lock()
		ch := e.follow["/"+name]
		e.mu.Unlock()
		if ch != nil {
			ch <- "2026-11-23T10:00:00.000000000Z " + line + "\n"
			return
		}
		time.Sleep(time.Millisecond)
	}
	e.t.Fatalf("nobody follows the log of %s", name)
}
