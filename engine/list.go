package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"
)

// List returns the containers that run, or with All, Limit or a status filter
// any, the newest first.
func (cs *Containers) List(ctx context.Context, opts ListOptions) ([]container.Summary, error) {
	// Containers share few images: each name is looked up once.
	images := imageNames{e: cs.e, known: make(map[string]string)}
	q, err := cs.listQuery(ctx, opts, &images)
	if err != nil {
		return nil, err
	}
	rows := cs.rows(q)
	slices.SortFunc(rows, func(a, b listRow) int { return b.rec.Created.Compare(a.rec.Created) })
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
