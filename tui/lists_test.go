package tui

import (
	"testing"

	"berth/tui/feed"
)

// The sizes of volumes are asked for as soon as rows of theirs are on the
// screen, again for another list and when one comes back to their panel, and
// never twice at once.
func TestVolumesAreMeasuredWhenShown(t *testing.T) {
	m := bare(t, 80, 24) // their panel is a title
	var vs feed.Volumes
	load(t, "volumes.json", &vs.List)
	asks := func(when string, want bool) {
		t.Helper()
		if got := m.measureVolumes() != nil; got != want {
			t.Errorf("%s: asked %v instead of %v", when, got, want)
		}
	}
	m.fromEngine(vs)
	asks("below a title", false)
	m.width, m.height = 120, 50
	asks("shown", true)
	asks("while the answer is awaited", false)
	m.fromEngine(feed.Sizes{Sizes: map[string]int64{vs.List[0].Name: 4711}})
	asks("answered", false)
	m.focus(volumes)
	asks("gone to", true)
	m.fromEngine(feed.Sizes{})
	asks("still there", false)
	m.fromEngine(vs)
	asks("with another list", true)
	for _, v := range m.state.Volumes("") {
		if v.Name == vs.List[0].Name && v.Size != 4711 {
			t.Errorf("the new list has forgotten a size: %d", v.Size)
		}
	}
}
