package tui

import (
	"fmt"
	"strings"
	"time"

	"github.com/moby/moby/api/types/events"

	"berth/tui/feed"
	"berth/tui/state"
	"berth/tui/text"
	"berth/tui/theme"
)

// keptEvents is how many events the third column can show.
const keptEvents = 100

// remember adds an event to those of the third column.
func (m *model) remember(e feed.Event) {
	if line := m.eventLine(e.Message); line != "" {
		m.events = append(m.events, line)
	}
	m.events = m.events[max(len(m.events)-keptEvents, 0):]
}

// recall puts what happened before the console began above what it has seen.
func (m *model) recall(past []events.Message) {
	var lines []string
	for _, e := range past {
		if line := m.eventLine(e); line != "" {
			lines = append(lines, line)
		}
	}
	m.events = append(lines, m.events...)
	m.events = m.events[max(len(m.events)-keptEvents, 0):]
}

// eventLine is an event in words, or "" for one that is not worth a line, as
// looking at a container is not.
func (m *model) eventLine(e events.Message) string {
	action, detail, _ := strings.Cut(string(e.Action), ": ")
	switch events.Action(action) {
	case events.ActionExecCreate, events.ActionExecStart, events.ActionExecDie, events.ActionResize, events.ActionTop:
		return ""
	case events.ActionHealthStatus:
		action = detail // healthy, unhealthy
	}
	name := e.Actor.Attributes["name"]
	if name == "" {
		name = state.Short(e.Actor.ID)
	}
	if c, ok := m.state.Container(e.Actor.ID); ok {
		name = c.Name
	}
	at := time.Unix(e.Time, 0).Format("15:04:05")
	line := fmt.Sprintf("%s %s %s %s", m.theme.Dim.Render(at), m.theme.Info.Render(text.Fit(text.Clean(string(e.Type)), 9)),
		text.Fit(text.Clean(action), 9), m.theme.Strong.Render(text.Clean(name)))
	if code := e.Actor.Attributes["exitCode"]; code != "" && code != "0" {
		line += " " + m.theme.Bad.Render(text.Clean(code))
	}
	return line
}

// drawSide is the third column: the load of all that runs, and what happened.
func (m *model) drawSide(width, height int) []string {
	rows := m.state.Containers(false, state.ByCPU, m.use)
	n := min(len(rows), height/2-2)
	var lines []string
	for _, c := range rows[:max(n, 0)] {
		u := m.usage[c.ID]
		if u == nil {
			lines = append(lines, " "+m.theme.Dim.Render(text.Fit(c.Name, width-4)))
			continue
		}
		lines = append(lines, " "+text.Fit(c.Name, width-31)+" "+m.theme.Good.Render(spark(u.cpus, 14, 10))+" "+
			text.FitLeft(fmt.Sprintf("%.0f%%", u.cpu), 4)+" "+text.FitLeft(size(u.last.Memory), 6))
	}
	load := theme.Frame{Title: "Load"}.Draw(m.theme, lines, width, max(n, 1)+2)
	rest := height - len(load)
	shown := m.events[max(len(m.events)-(rest-2), 0):]
	if len(shown) == 0 {
		shown = []string{" " + m.theme.Dim.Render("what happens shows here")}
	}
	return append(load, theme.Frame{Title: "Events"}.Draw(m.theme, shown, width, rest)...)
}
