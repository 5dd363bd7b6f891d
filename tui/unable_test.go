package tui

import (
	"strings"
	"testing"

	"berth/tui/feed"
	"berth/tui/text"
)

// What an engine cannot do is grey, with the reason, in every place that offers it.
func TestWhatTheEngineCannotIsGrey(t *testing.T) {
	m := offline(t, 120, 36)
	press(m, "6")
	shows(t, m, "N publish")
	if s := m.greyed(); s != "" {
		t.Errorf("grey before the engine is known: %s", s)
	}
	send(m, feed.Version{Name: "docker", Version: "20.10", Foreign: true})
	shows(t, m, "N d: needs berth's engine, this is docker 20.10")
	if line := m.keyLine(120); !strings.Contains(line, m.theme.Dim.Render("N")) || !strings.Contains(line, m.theme.Dim.Render("publish")) {
		t.Errorf("not grey: %q", line)
	}
	press(m, "N")
	shows(t, m, "publish: needs berth's engine, this is docker 20.10")
	if m.overlay != nil {
		t.Error("it asks all the same")
	}
	press(m, ":")
	m.overlay.(*palette).field.Set("publish")
	m.overlay.(*palette).find()
	shows(t, m, "publish another port: needs berth's engine")
	press(m, "esc")
	all := text.Strip(strings.Join(helpLines(m, 150), "\n"))
	if strings.Count(all, "needs berth's engine") != 5 {
		t.Errorf("help:\n%s", all)
	}
	press(m, "2")
	if s := m.greyed(); s != "" {
		t.Errorf("docker can change limits: %s", s)
	}
	send(m, feed.Version{Name: "podman", Version: "4.3.1", Foreign: true, Fixed: true})
	shows(t, m, "u: unknown to this engine, this is podman 4.3.1")
	send(m, feed.Version{Name: "berth", Version: "0.1"})
	press(m, "6", "N")
	shows(t, m, "publish a port of")
}

// An empty panel does not teach a key that the engine cannot do.
func TestEmptyPanesTeachWhatWorks(t *testing.T) {
	m := bare(t, 120, 36)
	send(m, feed.Containers{}, feed.Images{}, feed.Volumes{}, feed.Networks{})
	press(m, "6")
	shows(t, m, "publishes one of a container that runs")
	send(m, feed.Version{Name: "docker", Foreign: true})
	if s := text.Strip(strings.Join(m.lines(), "\n")); strings.Contains(s, "publishes one") {
		t.Errorf("taught:\n%s", s)
	}
}
