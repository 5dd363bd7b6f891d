package theme

import (
	"strings"
	"testing"

	"berth/tui/text"
)

func TestAFrameTakesExactlyItsCells(t *testing.T) {
	for _, th := range []Theme{ANSI16(), Mono()} {
		f := Frame{Title: th.Accent.Render("2 Containers 3/5"), Right: "日本", Footer: "A all", Left: "/filter", Focused: true}
		for w := 0; w < 60; w++ {
			for h := 0; h < 6; h++ {
				got := f.Draw(th, []string{"one", strings.Repeat("二", 40), "three"}, w, h)
				if len(got) != h {
					t.Fatalf("%d×%d: %d lines", w, h, len(got))
				}
				for _, l := range got {
					if text.Width(l) != w {
						t.Fatalf("%d×%d: %q is %d wide", w, h, l, text.Width(l))
					}
				}
			}
		}
	}
}

func TestAFrameShowsItsLabels(t *testing.T) {
	got := Frame{Title: "title", Footer: "foot"}.Draw(Theme{}, []string{"body"}, 20, 3)
	want := []string{"╭─ title ──────────╮", "│body              │", "╰─────────── foot ─╯"}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("line %d: %q, want %q", i, got[i], want[i])
		}
	}
}

func TestRenderEndsItsStyle(t *testing.T) {
	if got := ANSI16().Good.Render("up"); got != "\x1b[32mup\x1b[m" {
		t.Errorf("%q", got)
	}
	if got := Mono().Good.Render("up"); got != "up" {
		t.Errorf("%q", got)
	}
}
