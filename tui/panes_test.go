package tui

import (
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
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

func TestAPullShowsHowFarItIsAndIsGivenUp(t *testing.T) {
	e := newEngine(t)
	r := start(t, e, 120, 36)
	r.WaitFor("Images 8")
	r.Press("3", "P")
	r.WaitFor("pull an image")
	r.Type("shop/missing\n")
	r.WaitFor("pull shop/missing", "not found")
	r.Press("P")
	r.Type("shop/big\n")
	r.WaitFor("aaaabbbbcccc", "M/40M", "Downloading", "esc lets it go on")
	r.Press("esc")
	r.WaitGone("esc lets it go on")
	r.WaitFor("pull of shop/big goes on", "⇅ pull shop/big", "50%", "ctrl+t")
	r.Press("2", "j")
	r.WaitFor("containers ▸ db", "⇅ pull shop/big")
	r.Press("ctrl+t")
	r.WaitFor("aaaabbbbcccc", "x gives it up")
	r.Press("x")
	r.WaitFor("given up")
	r.WaitGone("⇅ pull")
	r.Wait("the engine to notice", func(string) bool { e.mu.Lock(); defer e.mu.Unlock(); return e.given })
	r.Press("@")
	r.WaitFor("berth pull shop/big")
}

func TestPruningSaysWhatItFrees(t *testing.T) {
	r := start(t, newEngine(t), 120, 36)
	r.WaitFor("Volumes 4")
	r.Press("4", "b")
	r.WaitFor("all unused volumes: 3, frees 6M", "berth volume prune -af")
	r.Press("2")
	r.WaitFor("pruned all unused volumes 3 removed, 6M freed")
}

func TestTheSystem(t *testing.T) {
	e := newEngine(t)
	r := start(t, e, 120, 36)
	r.WaitFor("● web")
	r.Press("7")
	r.WaitFor("pruning frees", "images", "build cache")
	r.Press("]")
	r.WaitFor("nothing has happened yet")
	e.makeVolume("fresh")
	e.edit("web", events.ActionPause, func(c *container.Summary) { c.State = container.StatePaused })
	r.WaitFor("fresh", "pause")
	r.Press("/")
	r.Type("volume\n")
	r.WaitFor("/volume ", "fresh")
	r.WaitGone("pause")
	r.Press("]")
	r.WaitFor("/var/lib/berth", "v2, cgroupfs")
	r.Press("]")
	r.WaitFor("mend it: modprobe overlay")
	r.Press("esc", "2")
	r.WaitFor("‖ web")
}

// What cannot be done says why.
func TestDisabledActionsSayWhy(t *testing.T) {
	m := offline(t, 120, 36)
	for _, c := range []struct{ keys, want string }{
		{"4 g j d", "pgdata is used by db: remove that first"},
		{"5 g j d", "shop-api-1 is in shop_default: X disconnects it"},
		{"5 G d", "none is a network that every engine has"},
		{"5 G X", "no container is in none"},
		{"6 g j w", "*:5353 is udp: a browser cannot open it"},
		{"3 G u", "an image without a name cannot be pushed: t gives it one"},
	} {
		m.hint = ""
		press(m, strings.Fields(c.keys)...)
		if !m.bad || !strings.Contains(m.hint, c.want) {
			t.Errorf("%s: %q", c.keys, m.hint)
		}
	}
	press(m, "5", "N")
	send(m, tea.PasteMsg{Content: "web 10.9"})
	shows(t, m, "berth network create --subnet 10.9 web")
	press(m, "enter")
	shows(t, m, "is no subnet")
	m.opt.Host = "ssh://far"
	press(m, "6", "g")
	shows(t, m, "it is not probed: the engine is on another machine")
}

// Verbs of a project act on all of its containers.
func TestAProjectsVerbs(t *testing.T) {
	r := start(t, newEngine(t), 120, 36)
	r.WaitFor("Projects 1")
	r.Press("1", "s")
	r.WaitFor("0/2", "○ shop")
	r.Press("S")
	r.WaitFor("2/2", "● shop")
	r.Press("d")
	r.WaitFor("remove 2 containers?", "kill and remove (2 running)")
	r.Press("f")
	r.WaitGone("Projects")
	r.WaitFor("Containers 10")
}

func TestWhatIsInsideAContainer(t *testing.T) {
	r := start(t, newEngine(t), 120, 36)
	r.WaitFor("● web")
	r.Press("j", "j", "j", "[")
	r.WaitFor("PID", "nginx: master", "nginx: worker")
	r.Press("[", "[")
	r.WaitFor("environment is empty")
	r.Press("]", "]", "G")
	r.WaitFor("no process: it does not run")
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
