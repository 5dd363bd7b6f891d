package tui

import (
	"testing"

	"github.com/moby/moby/api/types/container"

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
