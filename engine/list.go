package engine

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"berth/engine/filter"
	engnet "berth/engine/network"

	"github.com/containerd/errdefs"
	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"
)

// listFilters are docker's; those about swarm tasks and isolation match nothing here.
var listFilters = []string{"ancestor", "before", "exited", "expose", "health", "id", "is-task", "isolation",
	"label", "label!", "name", "network", "publish", "since", "status", "volume"}

// List returns the containers that run, or with All, Limit or a status filter
// any, the newest first.
func (cs *Containers) List(ctx context.Context, opts ListOptions) ([]container.Summary, error) {
	f := opts.Filters
	if err := f.Validate(listFilters...); err != nil {
		return nil, err
	}
	for _, s := range f["status"] {
		if err := container.ValidateContainerState(container.ContainerState(s)); err != nil {
			return nil, kind(errdefs.ErrInvalidArgument, "invalid filter 'status=%s'", s)
		}
	}
	var exited []int
	for _, v := range f["exited"] {
		n, err := strconv.Atoi(v)
		if err != nil {
			return nil, kind(errdefs.ErrInvalidArgument, "invalid filter 'exited=%s'", v)
		}
		exited = append(exited, n)
	}
	for _, v := range f["health"] {
		if err := container.ValidateHealthStatus(container.HealthStatus(v)); err != nil {
			return nil, kind(errdefs.ErrInvalidArgument, "Unrecognised filter value for health: %s", v)
		}
	}
	task, err := f.Bool("is-task", false)
	if err != nil {
		return nil, err
	}
	for _, key := range []string{"publish", "expose"} {
		for _, v := range f[key] {
			if _, err := parsePortRange(v); err != nil {
				return nil, kind(errdefs.ErrInvalidArgument, "error while looking up for %s %s: %v", key, v, err)
			}
		}
	}
	// An unknown container in before or since is an error, not an empty list.
	before, since, err := cs.bounds(f)
	if err != nil {
		return nil, err
	}
	all := opts.All || opts.Limit > 0 || f.Has("status") || f.Has("exited") || !before.IsZero() || !since.IsZero()
	// Containers share few images: each name is looked up once.
	images := imageNames{e: cs.e, known: make(map[string]string)}
	ancestors := images.ids(ctx, f["ancestor"])

	// Rows are copies: nothing is locked while sizes are computed and names resolved.
	type row struct {
		rec      record
		removing bool
	}
	var rows []row
	for _, c := range cs.all() {
		c.mu.Lock()
		r := row{c.rec, c.removing}
		c.mu.Unlock()
		s := r.rec.State
		keep := (all || s.Running) &&
			f.Exact("status", string(s.status(r.removing))) &&
			(len(exited) == 0 || !s.Running && !s.FinishedAt.IsZero() && slices.Contains(exited, s.ExitCode)) &&
			(before.IsZero() || r.rec.Created.Before(before)) && (since.IsZero() || r.rec.Created.After(since)) &&
			f.Prefix("id", r.rec.ID) && (f.Match("name", r.rec.Name) || f.Match("name", "/"+r.rec.Name)) &&
			f.Labels(r.rec.Config.Labels) && f.Exact("health", string(healthStatus(s.Health))) &&
			(!f.Has("ancestor") || slices.Contains(ancestors, r.rec.ImageID)) &&
			cs.matchPlaces(f, r.rec) && !task
		if keep {
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, func(a, b row) int { return b.rec.Created.Compare(a.rec.Created) })
	if opts.Limit > 0 && len(rows) > opts.Limit {
		rows = rows[:opts.Limit]
	}
	list := make([]container.Summary, 0, len(rows))
	for _, r := range rows {
		sum := cs.summary(r.rec, r.removing)
		sum.Image = images.name(ctx, r.rec)
		if opts.Size {
			sum.SizeRw = cs.sizeRw(ctx, r.rec)
			sum.SizeRootFs = sum.SizeRw + cs.sizeImage(ctx, r.rec)
		}
		list = append(list, sum)
	}
	return list, nil
}

// bounds are the creation times of the containers that before and since name.
func (cs *Containers) bounds(f filter.Args) (before, since time.Time, err error) {
	for _, b := range []struct {
		key string
		t   *time.Time
	}{{"before", &before}, {"since", &since}} {
		for _, ref := range f[b.key] {
			c, err := cs.get(ref)
			if err != nil {
				return before, since, err
			}
			*b.t = c.snapshot().Created
		}
	}
	return before, since, nil
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
		if f.Has(key) && !slices.ContainsFunc(f[key], func(want string) bool { return hasPort(rec, want, key == "publish") }) {
			return false
		}
	}
	return true
}

// summary is a row of the list, without image name and sizes.
func (cs *Containers) summary(rec record, removing bool) container.Summary {
	ends := cs.e.network.Endpoints(rec.ID)
	sum := container.Summary{
		ID: rec.ID, Names: append([]string{"/" + rec.Name}, cs.linkNames(rec.ID)...), ImageID: rec.ImageID, Command: commandLine(rec),
		Created: rec.Created.Unix(), Ports: portSummaries(rec, ends), Labels: rec.Config.Labels,
		State: rec.State.status(removing), Status: statusText(rec.State, removing, time.Now()),
		NetworkSettings: &container.NetworkSettingsSummary{Networks: endpointSettings(rec, ends)},
		Mounts:          mountPoints(rec),
	}
	sum.Health = &container.HealthSummary{Status: healthStatus(rec.State.Health)}
	if rec.State.Health != nil {
		sum.Health.FailingStreak = rec.State.Health.FailingStreak
	}
	sum.HostConfig.NetworkMode = string(rec.HostConfig.NetworkMode)
	sum.HostConfig.Annotations = rec.HostConfig.Annotations
	return sum
}

// commandLine quotes arguments with blanks, as docker's list does.
func commandLine(rec record) string {
	parts := []string{rec.Path}
	for _, a := range rec.Args {
		if strings.Contains(a, " ") {
			a = "'" + a + "'"
		}
		parts = append(parts, a)
	}
	return strings.Join(parts, " ")
}

// statusText is docker's: "Up 5 minutes", "Exited (0) 2 hours ago".
func statusText(s state, removing bool, now time.Time) string {
	ago := func(t time.Time) string { return units.HumanDuration(now.Sub(t)) }
	switch s.status(removing) {
	case container.StateRestarting:
		return fmt.Sprintf("Restarting (%d) %s ago", s.ExitCode, ago(s.FinishedAt))
	case container.StatePaused:
		return "Up " + ago(s.StartedAt) + " (Paused)"
	case container.StateRunning:
		return "Up " + ago(s.StartedAt) + healthText(s.Health)
	case container.StateRemoving:
		return "Removal In Progress"
	case container.StateCreated:
		return "Created"
	}
	if s.FinishedAt.IsZero() {
		return "Created"
	}
	return fmt.Sprintf("Exited (%d) %s ago", s.ExitCode, ago(s.FinishedAt))
}

// nameOf is the name of a container, "" if it is gone.
func (cs *Containers) nameOf(id string) string {
	cs.mu.RLock()
	c := cs.byID[id]
	cs.mu.RUnlock()
	if c == nil {
		return ""
	}
	return c.snapshot().Name
}

// imageNames finds out, once for each name, whether it still means the same image.
type imageNames struct {
	e     *Engine
	known map[string]string // name → image ID, "" if there is none
}

// id is the image that a name means, "" if there is none.
func (n *imageNames) id(ctx context.Context, ref string) string {
	id, ok := n.known[ref]
	if !ok {
		if img, err := n.e.image(ctx, ref, nil); err == nil {
			id = img.id
		}
		n.known[ref] = id
	}
	return id
}

// ids are the images that the references mean; unknown ones mean none.
func (n *imageNames) ids(ctx context.Context, refs []string) []string {
	var ids []string
	for _, ref := range refs {
		if id := n.id(ctx, ref); id != "" {
			ids = append(ids, id)
		}
	}
	return ids
}

// name is how the container's image is called now: as it was, or by its ID
// when that name went to another image.
func (n *imageNames) name(ctx context.Context, rec record) string {
	if n.id(ctx, rec.imageName()) == rec.ImageID {
		return rec.imageName()
	}
	return rec.ImageID
}
