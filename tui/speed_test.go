package tui

import (
	"fmt"
	"testing"

	"github.com/moby/moby/api/types/container"

	"berth/tui/feed"
	"berth/tui/logs"
)

func manyLines(n int) []logs.Line {
	out := make([]logs.Line, n)
	for i := range out {
		out[i] = logs.Line{Time: "2026-11-23T09:14:02.123456789Z", Text: fmt.Sprintf("\x1b[32mline %d\x1b[m of a log with some text in it, as logs have, 日本語 and more, so that it is longer than a pane %d", i, i)}
	}
	return out
}

// crowd is a model with many containers, all with a measured load.
func crowd(t testing.TB, n int) *model {
	m := bare(t, 200, 50)
	var list []container.Summary
	for i := range n {
		list = append(list, container.Summary{ID: fmt.Sprintf("%064x", i), Names: []string{fmt.Sprintf("/web-%03d", i)}, State: container.StateRunning, Image: "nginx"})
	}
	send(m, feed.Containers{List: list})
	return m
}

// However much of a log there is, a frame costs what is visible: that leaves
// time for keys in a flood. Package paint holds that a flood is few frames; how
// long a key takes is measured by make bench.
func TestAFrameCostsWhatIsVisible(t *testing.T) {
	m := crowd(t, 500)
	m.logs.Reset(m.logSources(), m.logs.Stream, true)
	m.Update(feed.LogLines{Stream: m.logs.Stream, Lines: manyLines(1000)})
	cost := func() float64 { return testing.AllocsPerRun(5, func() { press(m, "K"); m.View() }) }
	few := cost()
	batch := manyLines(3300)
	for range 60 {
		m.Update(feed.LogLines{Stream: m.logs.Stream, Lines: batch})
	}
	if many := cost(); many > 1.5*few+100 {
		t.Errorf("a frame allocates %.0f times over 1,000 lines and %.0f times over 199,000", few, many)
	}
	if m.logs.Footer() == "" {
		t.Error("the log is gone")
	}
}

func BenchmarkView(b *testing.B) {
	m := crowd(b, 500)
	m.logs.Reset(m.logSources(), m.logs.Stream, true)
	m.logs.Append(manyLines(1000))
	for b.Loop() {
		m.View()
	}
}

func BenchmarkOneEventAmong500(b *testing.B) {
	m := crowd(b, 500)
	row := container.Summary{ID: fmt.Sprintf("%064x", 7), Names: []string{"/web-007"}, State: container.StateRunning}
	for b.Loop() {
		m.Update(feed.Row{ID: row.ID, Summary: &row})
	}
}
