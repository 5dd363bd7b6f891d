package tui

import (
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"berth/tui/text"
)

// Engine is an engine that the console can go to.
type Engine struct {
	Name string // what [Switch] calls it
	Note string // where it is, or what is said of it
}

// Switch is the error with which [Run] ends when the user wants another engine: one of
// Options.Engines by its name, or an address.
type Switch struct{ To string }

// Error says where the user went.
func (s *Switch) Error() string { return "going to the engine " + s.To }

// enginesTold is the answer to what engines there are.
type enginesTold struct {
	list []Engine
	err  error
}

// askEngines asks what engines there are.
func (m *model) askEngines() tea.Cmd {
	if m.opt.Engines == nil {
		m.say("this console has one engine only")
		return nil
	}
	return func() tea.Msg {
		list, err := m.opt.Engines()
		return enginesTold{list, err}
	}
}

// offerEngines shows the engines to choose among, and what leaving this one ends.
func (m *model) offerEngines(told enginesTold) {
	if told.err != nil {
		m.fail(clean(told.err)) // the others can be chosen all the same
	}
	var choices []choice
	for i, e := range told.list {
		key := strconv.Itoa(i + 1)
		if i >= 9 {
			key = " "
		}
		label := text.Clean(e.Name)
		if e.Name == m.opt.Host {
			label += " (shown now)"
		}
		choices = append(choices, choice{key, label, text.Clean(e.Note), func() tea.Cmd { return m.leaveFor(e.Name) }})
	}
	choices = append(choices, choice{"a", "an address…", "unix://PATH, tcp://HOST:PORT, ssh://USER@HOST", func() tea.Cmd {
		m.prompt("go to the engine at", "ssh://me@far.example", "", func(s string) string { return "berth -H " + s }, m.leaveFor)
		return nil
	}})
	m.overlay = newMenu("engines", choices...)
}

// lostByLeaving is what would end with this console: its shells and transfers; "" if
// there is nothing.
func (m *model) lostByLeaving() string {
	var out []string
	if n := m.shell.Live(); n > 0 {
		out = append(out, things(n, "one shell", "shells"))
	}
	for _, o := range m.transfers {
		if !o.failed() {
			out = append(out, "the "+o.verb+" of "+o.name)
		}
	}
	return strings.Join(out, ", ")
}

// leaveFor ends the console for another engine, after asking when something is lost by it.
func (m *model) leaveFor(name string) tea.Cmd {
	if name == m.opt.Host {
		m.say(name + " is shown already")
		return nil
	}
	goes := func() tea.Cmd {
		m.next = name
		return tea.Quit
	}
	if lost := m.lostByLeaving(); lost != "" {
		m.overlay = newMenu("going to "+text.Clean(name)+" ends "+text.Clean(lost), choice{"y", "go there all the same", "containers run on", goes})
		return nil
	}
	return goes()
}
