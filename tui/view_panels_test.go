package tui

import (
	"slices"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"

	"berth/tui/feed"
	"berth/tui/state"
	"berth/tui/text"
)

// The row of the cursor is drawn without colours: a sign alone must tell.
func TestGlyphTellsHealthWithoutColour(t *testing.T) {
	m := &model{}
	seen := map[string]container.HealthStatus{}
	for _, h := range []container.HealthStatus{container.Healthy, container.Unhealthy, container.Starting} {
		glyph := text.Strip(m.glyph(state.Container{State: container.StateRunning, Health: h}))
		if other, ok := seen[glyph]; ok || text.Width(glyph) != 1 {
			t.Errorf("%s is %q, as wide as %d, like %s", h, glyph, text.Width(glyph), other)
		}
		seen[glyph] = h
	}
}

// Graphs, loads and ports stand in columns, whatever the names are, and no name
// is cut for a graph.
func TestRowsOfContainersHaveColumns(t *testing.T) {
	m := offline(t, 120, 36)
	for i, c := range m.state.Containers(false, "", m.use) {
		m.usage[c.ID] = &usage{cpu: float64(i * 17), last: feed.Sample{Memory: 3e6}}
	}
	for _, width := range []int{30, 38, 42, 50, 60} {
		var at []int
		for _, c := range m.state.Containers(true, "", m.use) {
			row := text.Strip(m.containerRow(c, width))
			if text.Width(row) != width || !strings.HasSuffix(row, " ") {
				t.Errorf("%d wide: %q", width, row)
			}
			if before, _, ok := strings.Cut(row, "%"); ok {
				at = append(at, text.Width(before))
			}
			if strings.ContainsAny(row, "▁▂▃▄▅▆▇█") && width < graphed && !strings.Contains(row, c.Name) {
				t.Errorf("a name is cut for a graph: %q", row)
			}
		}
		slices.Sort(at)
		if len(at) < 3 || len(slices.Compact(at)) != 1 {
			t.Errorf("in rows of %d the loads stand at %v", width, at)
		}
	}
}

// The line of keys offers what the selected container can do.
func TestKeysFollowTheContainer(t *testing.T) {
	m := offline(t, 120, 36)
	for _, c := range m.state.Containers(true, "", m.use) {
		m.conts.Select(c.ID)
		line := text.Strip(m.keyLine(120))
		if strings.Contains(line, "S start") == c.Running() || strings.Contains(line, "s stop") != c.Running() {
			t.Errorf("%s is %s: %s", c.Name, c.State, line)
		}
	}
	m.width = 60
	if line := text.Strip(m.keyLine(60)); !strings.HasPrefix(line, " ⏎ open") {
		t.Errorf("a narrow screen does not tell of the detail: %s", line)
	}
}

// The line of keys in a shell says what fits, whole.
func TestTheShellsKeysFit(t *testing.T) {
	m := offline(t, 120, 36)
	for _, width := range []int{60, 80, 120} {
		line := text.Strip(m.shellKeys(width))
		if text.Width(line) != width || strings.Contains(line, "…") || !strings.HasPrefix(line, " ctrl+] then q leave  z zoom  | split  [ scroll") {
			t.Errorf("%d wide: %q", width, line)
		}
	}
}
