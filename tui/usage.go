package tui

import (
	tea "charm.land/bubbletea/v2"

	"berth/tui/feed"
	"berth/tui/state"
)

// usage is what is known of a container's use of the machine.
type usage struct {
	last feed.Sample
	cpu  float64 // percent of one CPU
	cpus []float64
	mems []float64

	points []point // of the last five minutes, for the Stats tab
}

// historyLen is how many samples a graph can show.
const historyLen = 120

// slow is how many ticks lie between two looks at a row that is visible but
// not selected.
const slow = 3

// poll measures the selected container, and every few ticks all visible ones.
func (m *model) poll() tea.Cmd {
	var ids []string
	s := m.screen()
	if !s.TooSmall && !s.Panels[containers].Empty() && (m.ticks <= 2 || m.ticks%slow == 0) {
		rows, _ := m.conts.Visible(s.Panels[containers].Dy() - 2)
		for _, c := range rows {
			if c.Running() {
				ids = append(ids, c.ID)
			}
		}
	} else if c, ok := m.current(); ok && c.Running() {
		ids = append(ids, c.ID)
	}
	if len(ids) == 0 {
		return nil
	}
	return m.feed.Poll(ids)
}

// measure takes samples in.
func (m *model) measure(s feed.Stats) {
	for id, now := range s.Samples {
		u := m.usage[id]
		if u == nil {
			u = &usage{}
			m.usage[id] = u
		}
		if !u.last.At.IsZero() {
			u.cpu = feed.Percent(u.last, now)
			u.cpus = push(u.cpus, u.cpu)
		}
		u.mems = push(u.mems, float64(now.Memory))
		u.points = plot(u.points, u.last, now)
		u.last = now
	}
	for id := range m.usage {
		if c, ok := m.state.Container(id); !ok || !c.Running() {
			delete(m.usage, id)
		}
	}
	if by := m.conts.order(); by == state.ByCPU || by == state.ByMem {
		m.refresh()
	}
}

// push appends a value to a history, which forgets its oldest.
func push(list []float64, v float64) []float64 {
	if len(list) == historyLen {
		copy(list, list[1:])
		list = list[:historyLen-1]
	}
	return append(list, v)
}

// use answers for sorting.
func (m *model) use(id string) (cpu float64, mem uint64) {
	if u := m.usage[id]; u != nil {
		return u.cpu, u.last.Memory
	}
	return 0, 0
}

// bars are the eighths of a cell that a sparkline is made of.
var bars = []rune("▁▂▃▄▅▆▇█")

// spark draws the newest values in width cells, from 0 to the largest of them
// but at least floor, so that noise near zero stays flat. Before the first
// value there is more of the same: a steady value is a line that never changes,
// and so is never written to the terminal again.
func spark(values []float64, width int, floor float64) string {
	if width <= 0 {
		return ""
	}
	if len(values) == 0 {
		values = []float64{0}
	}
	if len(values) > width {
		values = values[len(values)-width:]
	}
	top := floor
	for _, v := range values {
		top = max(top, v)
	}
	out := make([]rune, width)
	for i := range out {
		j := max(i-(width-len(values)), 0)
		out[i] = bars[0]
		if top > 0 {
			out[i] = bars[min(int(values[j]/top*float64(len(bars))), len(bars)-1)]
		}
	}
	return string(out)
}
