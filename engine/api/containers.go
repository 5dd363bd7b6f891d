package api

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"strconv"
	"strings"

	"berth/engine"
	"berth/engine/filter"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
)

// containerReader shows containers.
type containerReader interface {
	List(context.Context, engine.ListOptions) ([]container.Summary, error)
	Inspect(ctx context.Context, ref string, size bool) (container.InspectResponse, error)
	MACAddress(ref string) (network.HardwareAddr, error)
	Changes(ctx context.Context, ref string) (iter.Seq2[container.FilesystemChange, error], error)
	Top(ctx context.Context, ref, psArgs string) (container.TopResponse, error)
	Stats(ctx context.Context, ref string) (container.StatsResponse, error)
}

// containerLifecycle takes containers from one state to the next.
type containerLifecycle interface {
	Create(context.Context, engine.CreateOptions) (container.CreateResponse, error)
	Start(ctx context.Context, ref string, o engine.StartOptions) error
	Stop(ctx context.Context, ref string, o engine.StopOptions) error
	Restart(ctx context.Context, ref string, o engine.StopOptions) error
	Kill(ctx context.Context, ref, signal string) error
	Remove(ctx context.Context, ref string, o engine.RemoveOptions) error
	Rename(ctx context.Context, ref, name string) error
	Update(ctx context.Context, ref string, u container.UpdateConfig) error
	Pause(ctx context.Context, ref string) error
	Unpause(ctx context.Context, ref string) error
	Wait(ctx context.Context, ref string, condition container.WaitCondition) (<-chan container.WaitResponse, error)
	Resize(ctx context.Context, ref string, height, width uint) error
	Prune(context.Context, filter.Args) (container.PruneReport, error)
	containerLinks
}

// containerLinks are the links of --link.
type containerLinks interface {
	RemoveLink(name string) error
}

// containerHandlers answer /containers/….
type containerHandlers struct {
	read containerReader
	life containerLifecycle
	flow containerStreams
}

func (c *containerHandlers) routes(rt *router) {
	rt.on("GET /containers/json", c.list)
	rt.on("POST /containers/create", c.create)
	rt.on("POST /containers/prune", c.prune)
	rt.on("GET /containers/{id}/json", c.inspect)
	rt.onNamed("GET /containers/", "/json", c.inspectLink)
	rt.on("GET /containers/{id}/changes", c.changes)
	rt.on("GET /containers/{id}/top", c.top)
	rt.on("POST /containers/{id}/start", c.start)
	rt.on("POST /containers/{id}/stop", c.stopping(c.life.Stop))
	rt.on("POST /containers/{id}/restart", c.stopping(c.life.Restart))
	rt.on("POST /containers/{id}/kill", c.kill)
	rt.on("POST /containers/{id}/pause", c.plain(c.life.Pause))
	rt.on("POST /containers/{id}/unpause", c.plain(c.life.Unpause))
	rt.on("POST /containers/{id}/rename", c.rename)
	rt.on("POST /containers/{id}/resize", c.resize)
	rt.on("POST /containers/{id}/wait", c.wait)
	rt.on("DELETE /containers/{id}", c.remove)
	rt.onNamed("DELETE /containers/", "", c.removeLink)
	rt.on("POST /containers/{id}/update", c.update)
	c.streamRoutes(rt)
}

// list answers GET /containers/json: the running containers, newest first; ?all= the others too, ?limit= the newest n in
// whatever state, ?size= with the sizes of their layers, ?filters= those that match.
func (c *containerHandlers) list(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	limit, err := number(query, "limit", 0)
	if err != nil {
		return err
	}
	filters, err := filter.Parse(query.Get("filters"))
	if err != nil {
		return err
	}
	found, err := c.read.List(r.Context(), engine.ListOptions{All: flag(query, "all"), Limit: limit, Size: flag(query, "size"), Filters: filters})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, listed(found, versionOf(r)))
}

// inspect answers GET /containers/{id}/json; ?size= fills in SizeRw and SizeRootFs.
func (c *containerHandlers) inspect(w http.ResponseWriter, r *http.Request) error {
	found, err := c.read.Inspect(r.Context(), r.PathValue("id"), flag(r.URL.Query(), "size"))
	if err != nil {
		return err
	}
	mac, err := c.read.MACAddress(found.ID)
	if err != nil {
		return err
	}
	body, err := inspected(found, mac, versionOf(r))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, body)
}

// inspectLink answers GET /containers/{parent}/{alias}/json, which means where the parent's link leads.
func (c *containerHandlers) inspectLink(w http.ResponseWriter, r *http.Request) error {
	r.SetPathValue("id", r.PathValue("name"))
	return c.inspect(w, r)
}

// changes answers GET /containers/{id}/changes: the paths that differ from the image, Kind 0 modified, 1 added, 2 deleted.
func (c *containerHandlers) changes(w http.ResponseWriter, r *http.Request) error {
	changes, err := c.read.Changes(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return sendArray(w, changes)
}

// top answers GET /containers/{id}/top with what ps prints for ?ps_args= ("-ef" by default).
func (c *containerHandlers) top(w http.ResponseWriter, r *http.Request) error {
	processes, err := c.read.Top(r.Context(), r.PathValue("id"), r.URL.Query().Get("ps_args"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, processes)
}

// start answers POST /containers/{id}/start with 204, or 304 if the container runs.
func (c *containerHandlers) start(w http.ResponseWriter, r *http.Request) error {
	// Until API 1.24 a start could bring a configuration. An unknown length is taken for one; "{}" and "null" are nothing.
	if r.ContentLength > 7 || r.ContentLength == -1 {
		return invalid("starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24")
	}
	o := engine.StartOptions{Checkpoint: r.URL.Query().Get("checkpoint")}
	return noContent(w, c.life.Start(r.Context(), r.PathValue("id"), o))
}

// stopping is the handler of stop and of restart.
func (c *containerHandlers) stopping(do func(context.Context, string, engine.StopOptions) error) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		query := r.URL.Query()
		var o engine.StopOptions
		if query.Get("t") != "" {
			seconds, err := number(query, "t", 0)
			if err != nil {
				return err
			}
			o.Timeout = &seconds
		}
		if !versionOf(r).before(42) {
			o.Signal = query.Get("signal")
		}
		return noContent(w, do(r.Context(), r.PathValue("id"), o))
	}
}

// kill answers POST /containers/{id}/kill?signal= (a name or a number, KILL by default) with 204, or 409 if the container
// does not run.
func (c *containerHandlers) kill(w http.ResponseWriter, r *http.Request) error {
	err := c.life.Kill(r.Context(), r.PathValue("id"), r.URL.Query().Get("signal"))
	return noContent(w, err)
}

// plain is the handler of what takes nothing but a container.
func (c *containerHandlers) plain(do func(context.Context, string) error) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		return noContent(w, do(r.Context(), r.PathValue("id")))
	}
}

// rename answers POST /containers/{id}/rename?name= with 204, or 409 if the name is taken.
func (c *containerHandlers) rename(w http.ResponseWriter, r *http.Request) error {
	return noContent(w, c.life.Rename(r.Context(), r.PathValue("id"), strings.TrimPrefix(r.URL.Query().Get("name"), "/")))
}

// resize answers POST /containers/{id}/resize?h=&w= (characters) with 200.
func (c *containerHandlers) resize(w http.ResponseWriter, r *http.Request) error {
	height, width, err := sizeOf(r)
	if err != nil {
		return err
	}
	if err := c.life.Resize(r.Context(), r.PathValue("id"), height, width); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// sizeOf reads ?h= and ?w=, the size of a terminal in characters.
func sizeOf(r *http.Request) (height, width uint, err error) {
	query := r.URL.Query()
	for _, side := range []struct {
		name, word string
		into       *uint
	}{{"h", "height", &height}, {"w", "width", &width}} {
		n, err := strconv.ParseInt(query.Get(side.name), 10, 64)
		switch {
		case errors.Is(err, strconv.ErrSyntax):
			return 0, 0, invalid("invalid resize %s %q: %w", side.word, query.Get(side.name), strconv.ErrSyntax)
		case err != nil || n < 0 || n > maxSide:
			return 0, 0, invalid("invalid resize %s %q: %w", side.word, query.Get(side.name), strconv.ErrRange)
		}
		*side.into = uint(n)
	}
	return height, width, nil
}

// maxSide is the largest size of a terminal that the kernel can store (struct winsize).
const maxSide = 1<<16 - 1

// remove answers DELETE /containers/{id} with 204, or 409 if the container runs; ?force= kills it first, ?v= takes its
// anonymous volumes too.
func (c *containerHandlers) remove(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	if flag(query, "link") {
		return noContent(w, c.life.RemoveLink(r.PathValue("id")))
	}
	o := engine.RemoveOptions{Force: flag(query, "force"), Volumes: flag(query, "v")}
	return noContent(w, c.life.Remove(r.Context(), r.PathValue("id"), o))
}

// removeLink answers DELETE /containers/{parent}/{alias}?link=1 with 204; no container has such a name.
func (c *containerHandlers) removeLink(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	if !flag(r.URL.Query(), "link") {
		return &statusError{http.StatusNotFound, "No such container: " + name}
	}
	return noContent(w, c.life.RemoveLink(name))
}

// prune answers POST /containers/prune: all stopped containers that match ?filters= go.
func (c *containerHandlers) prune(w http.ResponseWriter, r *http.Request) error {
	filters, err := filter.Parse(r.URL.Query().Get("filters"))
	if err != nil {
		return err
	}
	report, err := c.life.Prune(r.Context(), filters)
	if err != nil {
		return err
	}
	report.ContainersDeleted = list(report.ContainersDeleted)
	return writeJSON(w, http.StatusOK, report)
}

// wait answers with the header as soon as the waiting has begun, since clients start the container only then, and with
// the body when the container has got there.
func (c *containerHandlers) wait(w http.ResponseWriter, r *http.Request) error {
	condition := container.WaitCondition(r.URL.Query().Get("condition"))
	if versionOf(r).before(30) {
		condition = ""
	}
	switch condition {
	case "":
		condition = container.WaitConditionNotRunning
	case container.WaitConditionNotRunning, container.WaitConditionNextExit, container.WaitConditionRemoved:
	default:
		return invalid("invalid condition: %q", condition)
	}
	ended, err := c.life.Wait(r.Context(), r.PathValue("id"), condition)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	if err := http.NewResponseController(w).Flush(); err != nil {
		return err
	}
	select {
	case <-r.Context().Done():
		return r.Context().Err()
	case how, ok := <-ended:
		if !ok {
			return errors.New("the engine ended while it waited for the container")
		}
		return json.NewEncoder(w).Encode(how)
	}
}

// noContent answers 204, or err.
func noContent(w http.ResponseWriter, err error) error {
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
	}
	return err
}

// list makes an empty list of an absent one: clients expect [], not null.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}
