package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"berth/engine"

	"github.com/moby/moby/api/types"
	"github.com/moby/moby/api/types/container"
)

// containerStreams are what flows from and to containers.
type containerStreams interface {
	Attach(ctx context.Context, ref string, o engine.AttachOptions) error
	Logs(ctx context.Context, ref string, o engine.LogsOptions, w engine.LogWriter) error
	Export(ctx context.Context, ref string, w io.Writer) error
}

func (c *containerHandlers) streamRoutes(rt *router) {
	rt.on("GET /containers/{id}/logs", c.logs)
	rt.on("GET /containers/{id}/stats", c.stats)
	rt.on("GET /containers/{id}/export", c.export)
	rt.on("POST /containers/{id}/attach", c.attach)
	rt.on("GET /containers/{id}/attach/ws", c.attachWebsocket)
}

// attach answers POST /containers/{id}/attach: the connection becomes the stream of the container. It may be made before
// the container starts, as docker run does, and outlives the engine.
func (c *containerHandlers) attach(w http.ResponseWriter, r *http.Request) error {
	query, id := r.URL.Query(), r.PathValue("id")
	found, err := c.read.Inspect(r.Context(), id, false)
	if err != nil {
		return err
	}
	// The ID found is the one attached to, even if the name goes to another container in between.
	tty := found.Config.Tty
	var s *stream
	err = c.flow.Attach(r.Context(), found.ID, engine.AttachOptions{
		Logs: flag(query, "logs"), Stream: flag(query, "stream"),
		Stdin: flag(query, "stdin"), Stdout: flag(query, "stdout"), Stderr: flag(query, "stderr"),
		DetachKeys: query.Get("detachKeys"), Mux: !tty,
		// Answered only when the attachment is sure to miss nothing: clients start the container after the answer.
		Accept: func() (*os.File, []byte, error) {
			var err error
			if s, err = hijack(w, r, tty); err != nil {
				return nil, nil, err
			}
			if flag(query, "logs") {
				s.settle()
			}
			return s.file, s.pending, nil
		},
	})
	return s.end(err)
}

// logs answers GET /containers/{id}/logs with the lines that ?stdout=, ?stderr=, ?since=, ?until= and ?tail= choose, and
// with ?follow= those to come until the container ends. The type tells whether the lines have frames (since 1.42).
func (c *containerHandlers) logs(w http.ResponseWriter, r *http.Request) error {
	query, id := r.URL.Query(), r.PathValue("id")
	o := engine.LogsOptions{
		Follow: flag(query, "follow"), Stdout: flag(query, "stdout"), Stderr: flag(query, "stderr"),
		Details: flag(query, "details"), Tail: -1,
	}
	if !o.Stdout && !o.Stderr {
		return invalid("Bad parameters: you must choose at least one stream")
	}
	var err error
	now := time.Now()
	if o.Since, err = engine.ParseTime(query.Get("since"), now); err != nil {
		return err
	}
	if o.Until, err = engine.ParseTime(query.Get("until"), now); err != nil {
		return err
	}
	if n, err := strconv.Atoi(query.Get("tail")); err == nil {
		// "all", and whatever else is no number, is everything: docker's own rule.
		o.Tail = n
	}
	found, err := c.read.Inspect(r.Context(), id, false)
	if err != nil {
		return err
	}
	media := types.MediaTypeRawStream
	if !found.Config.Tty && !versionOf(r).before(42) {
		media = types.MediaTypeMultiplexedStream
	}
	w.Header().Set("Content-Type", media)
	out := newEager(w)
	lines := &lineWriter{out: out, framed: !found.Config.Tty, timestamps: flag(query, "timestamps"), details: o.Details}
	if o.Follow {
		// A follower of a silent container must see that it is connected.
		if err := http.NewResponseController(w).Flush(); err != nil {
			return err
		}
	}
	err = c.flow.Logs(r.Context(), found.ID, o, lines)
	if err != nil && !gone(r) && (o.Follow || out.began()) {
		// The status is sent; docker says it in the stream of errors.
		lines.fail(fmt.Errorf("Error grabbing logs: %w", err))
		err = nil
	}
	if closing := out.Close(); err == nil {
		err = closing
	}
	return err
}

// export answers GET /containers/{id}/export with a tar of the file system, cut off if reading it fails.
func (c *containerHandlers) export(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Type", "application/x-tar")
	return c.flow.Export(r.Context(), r.PathValue("id"), w)
}

// statsInterval is docker's: clients show it as "per second".
const statsInterval = time.Second

// stats answers with one sample, or with one every second until the client goes or the container is gone. A sample
// carries the one before it, by which clients compute the use of the processor; with one-shot there is none.
func (c *containerHandlers) stats(w http.ResponseWriter, r *http.Request) error {
	query, id := r.URL.Query(), r.PathValue("id")
	follow := flagOr(query, "stream", true)
	oneShot := flag(query, "one-shot") && !versionOf(r).before(41)
	if follow && oneShot {
		return invalid("cannot have stream=true and one-shot=true")
	}
	sample, err := c.read.Stats(r.Context(), id)
	if err != nil {
		return err
	}
	tick := time.NewTicker(statsInterval)
	defer tick.Stop()
	next := func() error {
		select {
		case <-r.Context().Done():
			return r.Context().Err()
		case <-tick.C:
		}
		before := sample
		if sample, err = c.read.Stats(r.Context(), id); err != nil {
			return err
		}
		sample.PreCPUStats, sample.PreRead = before.CPUStats, before.Read
		return nil
	}
	if !follow && !oneShot && sample.PidsStats.Current > 0 {
		if err := next(); err != nil {
			return err
		}
	}
	return c.sendStats(w, follow, &sample, next)
}

// sendStats sends *sample, and with follow what each call of next leaves there.
func (c *containerHandlers) sendStats(w http.ResponseWriter, follow bool, sample *container.StatsResponse, next func() error) error {
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	for {
		if err := enc.Encode(sample); err != nil {
			return err
		}
		if !follow {
			return nil
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			return err
		}
		if err := next(); err != nil {
			// The container is gone, or the client: the end of the stream says it.
			return nil
		}
	}
}
