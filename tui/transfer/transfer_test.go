package transfer

import (
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/jsonstream"

	"berth/tui/text"
	"berth/tui/theme"
)

func message(id, status string, current, total int64) jsonstream.Message {
	m := jsonstream.Message{ID: id, Status: status}
	if total > 0 {
		m.Progress = &jsonstream.Progress{Current: current, Total: total}
	}
	return m
}

func TestAPullIsShownLayerByLayer(t *testing.T) {
	began := time.Unix(100, 0)
	p := New(began)
	for _, m := range []jsonstream.Message{
		message("latest", "Pulling from library/app", 0, 0),
		message("aaa", "Already exists", 0, 0), message("bbb", "Pulling fs layer", 0, 0), message("ccc", "Pulling fs layer", 0, 0),
		message("bbb", "Downloading", 5e6, 20e6), message("ccc", "Downloading", 5e6, 20e6), message("bbb", "Downloading", 10e6, 20e6),
	} {
		p.Add(m)
	}
	screen := func() string {
		return text.Strip(strings.Join(p.Lines(theme.ANSI16(), 78, 20, began.Add(3*time.Second)), "\n"))
	}
	for _, want := range []string{"1 of 3 layers", "15M of 40M", "5M/s", "5s left", "10M/20M", "Already exists", "Pulling from library/app"} {
		if !strings.Contains(screen(), want) {
			t.Errorf("%q is missing\n%s", want, screen())
		}
	}
	p.Add(message("bbb", "Download complete", 0, 0))
	p.Add(message("bbb", "Extracting", 1e6, 60e6)) // unpacked bytes do not count
	p.Add(message("bbb", "Pull complete", 0, 0))
	p.Add(message("ccc", "Pull complete", 0, 0))
	if current, all := p.Totals(); current != 40e6 || all != 40e6 {
		t.Errorf("%d of %d", current, all)
	}
	if s := screen(); !strings.Contains(s, "3 of 3 layers") || strings.Contains(s, "left") {
		t.Errorf("at the end:\n%s", s)
	}
}

// Whatever the room, lines are as wide as asked, and what is under way is seen.
func TestLittleRoom(t *testing.T) {
	p := New(time.Unix(0, 0))
	for i := range 30 {
		id := string(rune('a'+i%26)) + strings.Repeat("日", i)
		p.Add(message(id, "Downloading\x1b[2J", int64(i), 100))
		if i < 25 {
			p.Add(message(id, "Pull complete", 0, 0))
		}
	}
	for _, w := range []int{30, 50, 78} {
		lines := p.Lines(theme.ANSI16(), w, 9, time.Unix(9, 0))
		if len(lines) > 9 {
			t.Errorf("%d lines", len(lines))
		}
		for _, l := range lines {
			if text.Width(l) != w {
				t.Errorf("%d instead of %d: %q", text.Width(l), w, l)
			}
		}
	}
	if Bar(2, 4) != "━━━━" || Bar(-1, 4) != "┄┄┄┄" || Bar(0.5, 4) != "━━┄┄" {
		t.Error("bars")
	}
}
