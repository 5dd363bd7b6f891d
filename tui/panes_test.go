package tui

import (
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"

	"berth/tui/feed"
)

func TestPanelsFollowTheEvents(t *testing.T) {
	e := newEngine(t)
	r := start(t, e, 120, 36)
	r.WaitFor("Volumes 4", "Networks 5", "Ports 4", "Projects 1")
	r.Press("4")
	r.WaitFor("volumes ▸", "42M")
	e.makeVolume("fresh")
	r.WaitFor("Volumes 5", "○ fresh")
	r.Press("6")
	r.WaitFor("● *:8080", "✗ *:9000", "? *:5353")
	e.edit("web", events.ActionDie, func(c *container.Summary) { c.State, c.Ports = container.StateExited, nil })
	r.WaitFor("Ports 3")
	r.Press("1")
	r.WaitFor("SERVICES", "started in", "2/2")
	e.edit("shop-worker-1", events.ActionDie, func(c *container.Summary) { c.State = container.StateExited })
	r.WaitFor("◐ shop", "1/2")
	r.Press("5", "/")
	r.Type("back\n")
	r.WaitFor("Networks 1/5", "10.9.0.1", "nothing outside is reached")
}

// Without a project there is no panel of projects, and its key says why.
func TestNoProjectNoPanel(t *testing.T) {
	m := bare(t, 120, 36)
	send(m, feed.Containers{}, feed.Images{}, feed.Volumes{}, feed.Networks{})
	hides(t, m, "Projects")
	press(m, "1")
	shows(t, m, "there is no compose project")
	press(m, "h")
	if m.panel != containers {
		t.Error("h goes to a panel that is not there")
	}
	for _, k := range []string{"3", "4", "5", "6"} {
		press(m, k)
		shows(t, m, map[string]string{"3": "no images yet", "4": "no volumes yet", "5": "no networks yet", "6": "no published ports yet"}[k])
	}
}
