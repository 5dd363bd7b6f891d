package tui

import (
	"fmt"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"

	"berth/tui/feed"
	"berth/tui/state"
	"berth/tui/text"
	"berth/tui/theme"
)

// point is a moment of a container's use of the machine; what flows is in bytes
// per second.
type point struct {
	at                    time.Time
	cpu, mem, pids        float64
	rx, tx, read, written float64
}

// graphSpan is how much of the past the graphs show.
const graphSpan = 5 * time.Minute

// plot adds what two samples tell, and forgets what is too old to be shown. The
// first sample of a container has nothing to compare with.
func plot(list []point, before, now feed.Sample) []point {
	seconds := now.At.Sub(before.At).Seconds()
	if before.At.IsZero() || seconds <= 0 {
		return list
	}
	rate := func(a, b uint64) float64 {
		if b < a { // it was started anew
			return 0
		}
		return float64(b-a) / seconds
	}
	for len(list) > 0 && now.At.Sub(list[0].at) > graphSpan {
		list = list[1:]
	}
	return append(list, point{
		at: now.At, cpu: feed.Percent(before, now), mem: float64(now.Memory), pids: float64(now.Pids),
		rx: rate(before.RX, now.RX), tx: rate(before.TX, now.TX), read: rate(before.Read, now.Read), written: rate(before.Written, now.Written),
	})
}

// cpuLimit is how many CPUs a container may use, 0 for all.
func cpuLimit(h *container.HostConfig) float64 {
	switch {
	case h == nil:
		return 0
	case h.NanoCPUs > 0:
		return float64(h.NanoCPUs) / 1e9
	case h.CPUQuota > 0 && h.CPUPeriod > 0:
		return float64(h.CPUQuota) / float64(h.CPUPeriod)
	}
	return 0
}

// graph draws values over the last five minutes in width×height cells, from 0 to
// top. Where nothing was measured nothing is drawn.
func graph(points []point, pick func(point) float64, top float64, width, height int, style theme.Style) []string {
	columns := make([]float64, width)
	for i := range columns {
		columns[i] = -1
	}
	if len(points) > 0 && width > 0 {
		now := points[len(points)-1].at
		step := graphSpan / time.Duration(width)
		k := 0
		for i := range columns {
			end := now.Add(-step * time.Duration(width-1-i))
			for k < len(points) && !points[k].at.After(end) {
				columns[i] = max(columns[i], pick(points[k]))
				k++
			}
			if columns[i] < 0 && k > 0 { // between two looks: as it was
				columns[i] = pick(points[k-1])
			}
		}
	}
	rows := make([]string, height)
	for y := range rows {
		var b strings.Builder
		for _, v := range columns {
			level := int(v/max(top, 1e-9)*float64(height*len(bars))+0.5) - (height-1-y)*len(bars)
			switch {
			case v < 0:
				b.WriteByte(' ')
			case level <= 0 && y == height-1:
				b.WriteRune(bars[0])
			case level <= 0:
				b.WriteByte(' ')
			default:
				b.WriteRune(bars[min(level, len(bars))-1])
			}
		}
		rows[y] = style.Render(b.String())
	}
	return rows
}

// curve is one graph of the Stats tab.
type curve struct {
	pick  func(point) float64
	floor float64 // the top is at least that, so that noise near zero stays flat
	style theme.Style
}

// chart is a box with one curve, or two under each other.
type chart struct {
	title, now, limit string
	curves            []curve
	write             func(float64) string
}

// charts are what the Stats tab shows of a container.
func (m *model) charts(u *usage) []chart {
	th, s := m.theme, u.last
	last := point{}
	if n := len(u.points); n > 0 {
		last = u.points[n-1]
	}
	cpu := fmt.Sprintf("of %d CPUs", s.CPUs)
	if m.inside.tab == tabStats && m.inside.cpus > 0 {
		cpu = fmt.Sprintf("limit %.3g of %d CPUs", m.inside.cpus, s.CPUs)
	}
	mem, pids := "no limit", "no limit"
	if s.Limit > 0 && s.Limit < 1<<60 {
		mem = fmt.Sprintf("%.0f%% of %s", float64(s.Memory)/float64(s.Limit)*100, size(s.Limit))
	}
	if s.PidsMax > 0 && s.PidsMax < 1<<40 {
		pids = fmt.Sprintf("limit %d", s.PidsMax)
	}
	bytes := func(v float64) string { return size(uint64(v)) }
	rate := func(v float64) string { return size(uint64(v)) + "/s" }
	return []chart{
		{"CPU", fmt.Sprintf("%.1f%%", u.cpu), cpu, []curve{{func(p point) float64 { return p.cpu }, 10, th.Good}}, func(v float64) string { return fmt.Sprintf("%.1f%%", v) }},
		{"MEMORY", size(s.Memory), mem, []curve{{func(p point) float64 { return p.mem }, 1 << 20, th.Info}}, bytes},
		{"NETWORK", "↓ " + rate(last.rx) + "  ↑ " + rate(last.tx), "all ↓ " + size(s.RX) + " ↑ " + size(s.TX),
			[]curve{{func(p point) float64 { return p.rx }, 1000, th.Accent}, {func(p point) float64 { return p.tx }, 1000, th.Mark}}, rate},
		{"BLOCK I/O", "r " + rate(last.read) + "  w " + rate(last.written), "all r " + size(s.Read) + " w " + size(s.Written),
			[]curve{{func(p point) float64 { return p.read }, 1000, th.Accent}, {func(p point) float64 { return p.written }, 1000, th.Mark}}, rate},
		{"PROCESSES", fmt.Sprint(s.Pids), pids, []curve{{func(p point) float64 { return p.pids }, 4, th.Warn}}, func(v float64) string { return fmt.Sprintf("%.0f", v) }},
	}
}

// draw draws a chart: a line of numbers and its curves.
func (c chart) draw(th theme.Theme, points []point, width, height int) []string {
	left := " " + th.Strong.Render(c.title) + "  " + c.now
	tops := make([]float64, len(c.curves))
	peak := 0.0
	for i, k := range c.curves {
		tops[i] = k.floor
		for _, p := range points {
			tops[i], peak = max(tops[i], k.pick(p)), max(peak, k.pick(p))
		}
	}
	right := c.limit + "  peak " + c.write(peak)
	if text.Width(left)+text.Width(right)+2 > width {
		right = c.limit
	}
	head := text.Fit(left, width)
	if text.Width(left)+text.Width(right)+2 <= width {
		head = left + text.Spaces(width-text.Width(left)-text.Width(right)-1) + th.Dim.Render(right) + " "
	}
	out := []string{head}
	for i, k := range c.curves {
		rows := (height - 1 + i) / len(c.curves)
		for _, row := range graph(points, k.pick, tops[i], width-2, rows, k.style) {
			out = append(out, " "+row+" ")
		}
	}
	return out
}

// twoColumns is how wide the Stats tab must be for two charts side by side.
const twoColumns = 100

// statsSheet is five minutes of a container's load, as large as the detail.
func (m *model) statsSheet(c state.Container, width int) []string {
	u := m.usage[c.ID]
	switch {
	case !c.Running():
		return m.teach(width, "nothing to measure: it does not run", "S", "starts it")
	case u == nil:
		return nil
	}
	room := max(m.screen().Detail.Dy()-3, 0)
	charts := m.charts(u)
	columns := 1
	if width >= twoColumns {
		columns = 2
	}
	lines := (len(charts) + columns - 1) / columns
	each := max(room/lines, 3)
	var out []string
	for i := 0; i < len(charts); i += columns {
		block := make([][]string, 0, columns)
		for k := range columns {
			if i+k < len(charts) {
				block = append(block, charts[i+k].draw(m.theme, u.points, width/columns, each))
			}
		}
		out = append(out, text.Beside(block...)...)
	}
	axis := "5 minutes ago"
	return append(out, " "+m.theme.Dim.Render(axis+text.Spaces(width/columns-len(axis)-5)+"now"))
}
