package edit

import (
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"berth/tui/text"
)

func press(f *Field, keys ...tea.Key) {
	for _, k := range keys {
		f.Update(tea.KeyPressMsg(k))
	}
}

func typed(f *Field, s string) {
	for _, r := range s {
		press(f, tea.Key{Text: string(r), Code: r})
	}
}

func ctrl(r rune) tea.Key { return tea.Key{Code: r, Mod: tea.ModCtrl} }

func TestEditing(t *testing.T) {
	var f Field
	typed(&f, "one two  three")
	press(&f, ctrl('w'))
	if f.Value() != "one two  " {
		t.Errorf("%q", f.Value())
	}
	press(&f, ctrl('w'), ctrl('a'))
	typed(&f, "ü")
	if f.Value() != "üone " {
		t.Errorf("%q", f.Value())
	}
	press(&f, tea.Key{Code: tea.KeyRight}, tea.Key{Code: tea.KeyBackspace}, ctrl('k'))
	if f.Value() != "ü" || !f.AtEnd() {
		t.Errorf("%q", f.Value())
	}
	press(&f, ctrl('u'), tea.Key{Code: tea.KeyBackspace}, tea.Key{Code: tea.KeyDelete})
	f.Update(tea.PasteMsg{Content: "pa\x1b[31mste\nd"})
	if f.Value() != "paste d" {
		t.Errorf("%q", f.Value())
	}
	press(&f, tea.Key{Code: tea.KeyLeft, Mod: tea.ModAlt}, tea.Key{Code: tea.KeyDelete}, tea.Key{Code: tea.KeyHome}, tea.Key{Code: tea.KeyRight, Mod: tea.ModAlt})
	typed(&f, "!")
	if f.Value() != "paste! " {
		t.Errorf("%q", f.Value())
	}
	if f.Update(tea.KeyPressMsg{Code: tea.KeyEnter}) {
		t.Error("took enter")
	}
}

func TestTheCursorIsAlwaysSeen(t *testing.T) {
	var f Field
	f.Set("日本語 " + strings.Repeat("x", 50) + "日")
	for range 60 {
		for w := range 20 {
			got := f.View(w, true)
			if text.Width(got) != w {
				t.Fatalf("%d wide in %d: %q", text.Width(got), w, got)
			}
			if w > 2 && !strings.Contains(got, "\x1b[7m") {
				t.Fatalf("no cursor in %q", got)
			}
		}
		press(&f, tea.Key{Code: tea.KeyLeft})
	}
	if got := f.View(5, false); text.Width(got) != 5 {
		t.Errorf("%q", got)
	}
}

func TestAProposalStandsBehindTheText(t *testing.T) {
	var f Field
	f.Set("red")
	if got := text.Strip(f.ViewWith(12, "", "is:7")); got != "redis:7     " {
		t.Errorf("%q", got)
	}
	if got := f.ViewWith(12, "", "is:7"); !strings.Contains(got, "\x1b[7mi\x1b[m") {
		t.Errorf("the cursor is not on the first letter: %q", got)
	}
	for w := range 12 {
		for _, proposed := range []string{"", "x", "is:7", "日本"} {
			if got := f.ViewWith(w, "\x1b[2m", proposed); text.Width(got) != w {
				t.Errorf("%q is %d wide, not %d", got, text.Width(got), w)
			}
		}
	}
}

func FuzzField(f *testing.F) {
	f.Add("text", "\x01\x05\x15x")
	f.Fuzz(func(t *testing.T, start, keys string) {
		var e Field
		e.Set(text.Clean(start))
		for _, r := range keys {
			if r < 0x20 {
				e.Update(tea.KeyPressMsg{Code: 'a' + r, Mod: tea.ModCtrl})
			} else {
				e.Update(tea.KeyPressMsg{Code: r, Text: string(r)})
			}
			if e.pos < 0 || e.pos > len(e.runes) {
				t.Fatalf("the cursor is at %d of %d", e.pos, len(e.runes))
			}
			if got := e.View(9, true); text.Width(got) != 9 {
				t.Fatalf("%q is %d wide", got, text.Width(got))
			}
		}
	})
}
