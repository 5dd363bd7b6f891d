package engine

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"berth/shim"
	"berth/store/diff"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
)

// Containers are the containers of an engine.
//
// A reference (ref) is a container's ID, its name with or without the slash, or
// a unique prefix of its ID. Errors are of the kinds NotFound (no such
// container), Conflict (its state does not allow it), InvalidArgument and NotModified
// (it is so already), and carry docker's words where its clients look at them.
//
// Locks, in the order in which they are taken:
//
//	ctr.op         one transition at a time: start, exit, remove, pause, rename.
//	               Never two containers' at once. Waiting for an exit must not hold it:
//	               the exit itself takes it.
//	Containers.mu  the maps by ID and name
//	ctr.mu         the record and whatever else a container holds in memory
//
// Volumes.mu comes after ctr.op and before the others; execution.mu is a leaf:
// nothing else is locked under it.
type Containers struct {
	e       *Engine
	compare diff.Comparer // remembers which files of writable layers differ

	mu    sync.RWMutex
	byID  map[string]*ctr
	names map[string]string // name → ID
	execs map[string]*execution

	// missed are how the containers ended, by ID, that ended without an engine and were to
	// be removed then: somebody who waited may ask again. It does not change after Open.
	missed map[string]container.WaitResponse

	linked map[string]map[string]struct{} // who has links to a container, by IDs
}

// ctr is a container in memory.
type ctr struct {
	id string
	op sync.Mutex

	mu       sync.Mutex
	rec      record
	run      *run // the current one; nil when there is none
	removing bool // no new run, no second removal
	gone     bool // removed
	waiters  map[*waiter]struct{}
	attaches []queuedAttach // wait for the next run
	cancel   func()         // ends the pause before a restart; nil outside of one
	lastShim int            // process ID of the last run's shim, 0 if there was none in this engine's life
}

// run is one life of a container's process.
type run struct {
	*shim.Client
	done chan struct{} // closed when its end has been recorded
	tell sync.Mutex    // held from a signal until it is told of: the death that it brings is told later
}

// overSoon tells that the run ends, waiting a little: what fails because its
// container dies fails before the death is recorded.
func (r *run) overSoon(wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-r.done:
		return true
	case <-timer.C:
		return false
	}
}

// get finds a container by its ID, its name, the beginning of its ID, or by what
// another one calls it: "parent/alias" is where a link leads.
func (cs *Containers) get(ref string) (*ctr, error) {
	c, err := cs.find(ref)
	parent, alias, linked := strings.Cut(strings.TrimPrefix(ref, "/"), "/")
	if !linked || !errdefs.IsNotFound(err) {
		return c, err
	}
	if p, perr := cs.find(parent); perr == nil {
		for _, l := range cs.links(p.snapshot()) {
			if l.alias == alias {
				return cs.find(l.child.ID)
			}
		}
	}
	return nil, err
}

func (cs *Containers) find(ref string) (*ctr, error) {
	name := strings.TrimPrefix(ref, "/")
	if ref == "" {
		return nil, kind(errdefs.ErrInvalidArgument, "invalid name or ID supplied: %q", ref)
	}
	cs.mu.RLock()
	defer cs.mu.RUnlock()
	if c := cs.byID[ref]; c != nil {
		return c, nil
	}
	if id, ok := cs.names[name]; ok {
		if c := cs.byID[id]; c != nil {
			return c, nil
		}
	}
	var found *ctr
	if name != "" && strings.Trim(name, "0123456789abcdef") == "" {
		for id, c := range cs.byID {
			if !strings.HasPrefix(id, name) {
				continue
			}
			if found != nil {
				return nil, fmt.Errorf("multiple IDs found with provided prefix: %s: %w", name, errdefs.ErrInvalidArgument)
			}
			found = c
		}
	}
	if found == nil {
		return nil, kind(errdefs.ErrNotFound, "No such container: %s", ref)
	}
	return found, nil
}

// all returns the containers there are now.
func (cs *Containers) all() []*ctr {
	cs.mu.RLock()
	defer cs.mu.RUnlock()
	list := make([]*ctr, 0, len(cs.byID))
	for _, c := range cs.byID {
		list = append(list, c)
	}
	return list
}

// snapshot copies what is known of the container at this moment.
func (c *ctr) snapshot() record {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rec
}

// change edits the record in memory and returns a copy for the database.
func (c *ctr) change(fn func(*record)) record {
	c.mu.Lock()
	defer c.mu.Unlock()
	fn(&c.rec)
	return c.rec
}

// running returns the run of a running container, or a Conflict.
func (c *ctr) running() (*run, record, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rec.State.Restarting {
		return nil, c.rec, kind(errdefs.ErrConflict, "Container %s is restarting, wait until the container is running", c.id)
	}
	if c.run == nil || !c.rec.State.Running {
		return nil, c.rec, kind(errdefs.ErrConflict, "container %s is not running", c.id)
	}
	return c.run, c.rec, nil
}

// save makes a record durable.
func (cs *Containers) save(rec record) error {
	if rec.keepAutoRemove {
		hc := *rec.HostConfig
		hc.AutoRemove = true
		rec.HostConfig = &hc
	}
	return cs.e.records.Put(rec.ID, rec)
}

// dir is where the engine keeps a container's files.
func (cs *Containers) dir(id string) string {
	return filepath.Join(cs.e.cfg.Root, "containers", id)
}

func (cs *Containers) exitPath(id string) string { return filepath.Join(cs.dir(id), "exit.json") }

func (cs *Containers) shimDir(id string) string {
	return filepath.Join(cs.e.cfg.State, "shim", id)
}

func (cs *Containers) runtimeRoot() string { return filepath.Join(cs.e.cfg.State, "runtime") }

// emit publishes an event of the container with docker's attributes:
// its labels, image and name, and what else the action has (key, value, …).
func (cs *Containers) emit(rec record, action events.Action, extra ...string) {
	attrs := make(map[string]string, len(rec.Config.Labels)+2+len(extra)/2)
	for k, v := range rec.Config.Labels {
		attrs[k] = v
	}
	attrs["image"], attrs["name"] = rec.imageName(), rec.Name
	for i := 0; i+1 < len(extra); i += 2 {
		attrs[extra[i]] = extra[i+1]
	}
	cs.e.Events.Publish(events.ContainerEventType, action, rec.ID, attrs)
}

// tell is emit for who has no record at hand; of a container that is gone there is nothing to tell.
func (cs *Containers) tell(ref string, action events.Action) {
	if c, err := cs.get(ref); err == nil {
		cs.emit(c.snapshot(), action)
	}
}

// worded is an error whose text is docker's, and whose kind is not a part of it.
type worded struct {
	text string
	kind error
}

func (e *worded) Error() string { return e.text }
func (e *worded) Unwrap() error { return e.kind }

// kind makes an error of a kind in words that clients of docker know.
func kind(k error, format string, args ...any) error {
	return &worded{text: fmt.Sprintf(format, args...), kind: k}
}
