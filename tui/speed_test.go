package tui

import (
	"fmt"
	"testing"
	"time"

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

// A second of a log at 100,000 lines is 30 batches; each must leave most of the
// time between two frames to the keys.
func TestAFloodLeavesTimeForKeys(t *testing.T) {
	m := crowd(t, 500)
	m.logs.Reset(m.logSources(), m.logs.Stream, true)
	batch := manyLines(3300)
	for range 60 { // fill the buffer first
		m.Update(feed.LogLines{Stream: m.logs.Stream, Lines: batch})
	}
	began := time.Now()
	const frames = 30
	for range frames {
		m.Update(feed.LogLines{Stream: m.logs.Stream, Lines: batch})
		press(m, "K")
		m.View()
	}
	each := time.Since(began) / frames
	t.Logf("%s for each frame with 3,300 new lines and a key", each)
	if each > 25*time.Millisecond && !raceDetector {
		t.Errorf("%s for each frame", each)
	}
	if kept := m.logs.Pager(); kept == nil || m.logs.Footer() == "" {
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
