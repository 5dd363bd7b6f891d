package engine

import (
	"context"
	"fmt"
	"slices"

	"berth/engine/filter"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
)

// Remove takes a container away, with everything that is only its own.
// A running one is a Conflict unless Force, which kills it first. A client that
// goes meanwhile has asked all the same.
func (cs *Containers) Remove(_ context.Context, ref string, opts RemoveOptions) error {
	c, err := cs.get(ref)
	if err != nil {
		return err
	}
	c.mu.Lock()
	switch s := c.rec.State; {
	case c.removing:
		c.mu.Unlock()
		return kind(errdefs.ErrConflict, "removal of container %s is already in progress", c.id)
	case s.Running && !opts.Force:
		name := c.rec.Name
		c.mu.Unlock()
		what := "container is running: stop the container before removing or force remove"
		if s.Paused {
			what = "container is paused and must be unpaused first"
		}
		return kind(errdefs.ErrConflict, "cannot remove container %q: %s", name, what)
	}
	// From here on nobody starts it, and no restart policy does.
	c.removing = true
	c.mu.Unlock()
	if err := cs.killForRemoval(cs.e.ctx, c); err != nil {
		c.mu.Lock()
		c.removing = false
		c.mu.Unlock()
		return fmt.Errorf("cannot remove container %q: could not kill: %w", ref, err)
	}
	c.op.Lock()
	defer c.op.Unlock()
	if err := cs.remove(context.WithoutCancel(cs.e.ctx), c, removal{volumes: opts.Volumes}); err != nil && !errdefs.IsNotFound(err) {
		// NotFound: it was to be removed at its end, and that came first.
		return err
	}
	return nil
}

// killForRemoval ends the run of a container that is marked for removal.
func (cs *Containers) killForRemoval(ctx context.Context, c *ctr) error {
	// A start that is under way holds op; with the mark set it is the last one.
	c.op.Lock()
	c.cancelRestart()
	c.mu.Lock()
	r := c.run
	c.rec.ManuallyStopped = true
	c.mu.Unlock()
	c.op.Unlock()
	if r == nil {
		return nil
	}
	return cs.killAndWait(ctx, c, r)
}

// Prune removes the containers that do not run and pass the filters (until, label).
func (cs *Containers) Prune(ctx context.Context, f filter.Args) (container.PruneReport, error) {
	report := container.PruneReport{ContainersDeleted: []string{}}
	if err := f.Validate("until", "label", "label!"); err != nil {
		return report, err
	}
	until, err := untilOf(f)
	if err != nil {
		return report, err
	}
	list := cs.all()
	// The oldest first, so that of a prune that fails in the middle the newest are left.
	slices.SortFunc(list, func(a, b *ctr) int { return a.snapshot().Created.Compare(b.snapshot().Created) })
	for _, c := range list {
		rec := c.snapshot()
		if rec.State.Running || !f.Labels(rec.Config.Labels) || !until.IsZero() && !rec.Created.Before(until) {
			continue
		}
		size := cs.sizeRw(ctx, rec)
		if err := cs.Remove(ctx, c.id, RemoveOptions{}); err != nil {
			if errdefs.IsConflict(err) || errdefs.IsNotFound(err) {
				continue // started or removed meanwhile
			}
			return report, err
		}
		report.ContainersDeleted = append(report.ContainersDeleted, c.id)
		report.SpaceReclaimed += uint64(size)
	}
	cs.e.Events.Publish(events.ContainerEventType, events.ActionPrune, "", map[string]string{"reclaimed": fmt.Sprint(report.SpaceReclaimed)})
	return report, ctx.Err()
}
