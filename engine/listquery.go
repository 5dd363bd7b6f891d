package engine

import (
	"context"
	"slices"
	"strconv"
	"time"

	"berth/engine/filter"
	engnet "berth/engine/network"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
)

// listFilters are docker's; those about swarm tasks and isolation match nothing here.
var listFilters = []string{"ancestor", "before", "exited", "expose", "health", "id", "is-task", "isolation",
	"label", "label!", "name", "network", "publish", "since", "status", "volume"}

// listQuery is what a list is asked for, checked and with the names in it resolved.
type listQuery struct {
	filters       filter.Args
	all           bool // not only what runs
	task          bool // only containers of swarm tasks, of which there are none
	exited        []int
	before, since time.Time // zero: any
	ancestors     []string  // IDs of images
}

// listQuery refuses values that no container could match.
func (cs *Containers) listQuery(ctx context.Context, opts ListOptions, images *imageNames) (q listQuery, err error) {
	f := opts.Filters
	if err := f.Validate(listFilters...); err != nil {
		return q, err
	}
	for _, s := range f.Values("status") {
		if err := container.ValidateContainerState(container.ContainerState(s)); err != nil {
			return q, kind(errdefs.ErrInvalidArgument, "invalid filter 'status=%s'", s)
		}
	}
	for _, v := range f.Values("exited") {
		n, err := strconv.Atoi(v)
		if err != nil {
			return q, kind(errdefs.ErrInvalidArgument, "invalid filter 'exited=%s'", v)
		}
		q.exited = append(q.exited, n)
	}
	for _, v := range f.Values("health") {
		if err := container.ValidateHealthStatus(container.HealthStatus(v)); err != nil {
			return q, kind(errdefs.ErrInvalidArgument, "Unrecognised filter value for health: %s", v)
		}
	}
	if q.task, err = f.Bool("is-task", false); err != nil {
		return q, err
	}
	for _, key := range []string{"publish", "expose"} {
		for _, v := range f.Values(key) {
			if _, err := parsePortRange(v); err != nil {
				return q, kind(errdefs.ErrInvalidArgument, "error while looking up for %s %s: %v", key, v, err)
			}
		}
	}
	// An unknown container in before or since is an error, not an empty list.
	if q.before, q.since, err = cs.bounds(f); err != nil {
		return q, err
	}
	q.filters, q.ancestors = f, images.ids(ctx, f.Values("ancestor"))
	q.all = opts.All || opts.Limit > 0 || f.Has("status") || f.Has("exited") || !q.before.IsZero() || !q.since.IsZero()
	return q, nil
}

// bounds are the creation times of the containers that before and since name.
func (cs *Containers) bounds(f filter.Args) (before, since time.Time, err error) {
	for _, b := range []struct {
		key string
		t   *time.Time
	}{{"before", &before}, {"since", &since}} {
		for _, ref := range f.Values(b.key) {
			c, err := cs.get(ref)
			if err != nil {
				return before, since, err
			}
			*b.t = c.snapshot().Created
		}
	}
	return before, since, nil
}

// listRow is a container as it is when the list is made.
type listRow struct {
	rec      record
	removing bool
}

// rows are copies: nothing is locked while sizes are computed and names resolved.
func (cs *Containers) rows(q listQuery) (rows []listRow) {
	for _, c := range cs.all() {
		c.mu.Lock()
		r := listRow{c.rec, c.removing}
		c.mu.Unlock()
		if cs.matches(q, r) {
			rows = append(rows, r)
		}
	}
	return rows
}

func (cs *Containers) matches(q listQuery, r listRow) bool {
	f, rec, s := q.filters, r.rec, r.rec.State
	return (q.all || s.Running) && !q.task &&
		f.Exact("status", string(s.status(r.removing))) &&
		(len(q.exited) == 0 || !s.Running && !s.FinishedAt.IsZero() && slices.Contains(q.exited, s.ExitCode)) &&
		(q.before.IsZero() || rec.Created.Before(q.before)) && (q.since.IsZero() || rec.Created.After(q.since)) &&
		f.Prefix("id", rec.ID) && (f.Match("name", rec.Name) || f.Match("name", "/"+rec.Name)) &&
		f.Labels(rec.Config.Labels) && f.Exact("health", string(healthStatus(s.Health))) &&
		(!f.Has("ancestor") || slices.Contains(q.ancestors, rec.ImageID)) &&
		cs.matchPlaces(f, rec)
}

// matchPlaces applies the filters on volumes, networks and ports.
func (cs *Containers) matchPlaces(f filter.Args, rec record) bool {
	if f.Has("volume") && !slices.ContainsFunc(rec.Mounts, func(m container.MountPoint) bool {
		return f.Exact("volume", m.Name) || f.Exact("volume", m.Destination) || f.Exact("volume", m.Source)
	}) {
		return false
	}
	if f.Has("network") {
		named := slices.ContainsFunc(networkNames(rec), func(name string) bool { return f.Exact("network", name) })
		if !named && !slices.ContainsFunc(cs.e.network.Endpoints(rec.ID), func(e engnet.Endpoint) bool { return f.Prefix("network", e.NetworkID) }) {
			return false
		}
	}
	for _, key := range []string{"publish", "expose"} {
		if f.Has(key) && !slices.ContainsFunc(f.Values(key), func(want string) bool { return hasPort(rec, want, key == "publish") }) {
			return false
		}
	}
	return true
}
