package pager

import (
	"strings"
	"testing"

	"berth/tui/list"
	"berth/tui/theme"
)

// What a filter hides is hidden as soon as it is typed; a fuzzy one is a search
// like any other.
func TestInverseAndFuzzySearches(t *testing.T) {
	src := &tape{lines: []string{"get ok", "health ok", "get bad", "health bad", "post ok"}}
	p := New(src, true)
	p.Search(list.NewFilter("!health"))
	expect(t, p, "get ok|get bad|post ok")
	if !p.OnlyHits() {
		t.Error("an inverse search shows what it excludes")
	}
	src.lines = append(src.lines, "health late", "get late")
	p.End()
	expect(t, p, "get bad|post ok|get late")
	p.Search(list.NewFilter("~gb"))
	if cur, all := p.Hits(); cur != 1 || all != 1 || p.OnlyHits() {
		t.Errorf("hit %d of %d, only hits: %v", cur, all, p.OnlyHits())
	}
	row := p.View(theme.Theme{Hit: "<"}, 20, 3)
	if got := strings.Join(row, ""); !strings.Contains(got, "<g\x1b[met <b\x1b[mad") {
		t.Errorf("the letters are not marked: %q", got)
	}
}

// A line may have several rows of its own; it is still one line to count and to
// search.
func TestALineOfSeveralRows(t *testing.T) {
	src := &tape{lines: []string{"one", "{\n  a: 1\n}", "two"}}
	p := New(src, true)
	expect(t, p, "  a: 1|}|two")
	p.Scroll(-1)
	expect(t, p, "{|  a: 1|}")
	p.Scroll(-1)
	expect(t, p, "one|{|  a: 1")
	if p.Below() != 1 {
		t.Errorf("%d lines below", p.Below())
	}
	p.ToggleWrap()
	p.width = 3
	expect(t, p, "one|{|  a: 1")
	p.Search(list.NewFilter("a: 1"))
	if _, all := p.Hits(); all != 1 {
		t.Errorf("%d hits", all)
	}
}
