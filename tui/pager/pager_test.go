package pager

import (
	"fmt"
	"strings"
	"testing"

	"berth/tui/list"
	"berth/tui/text"
	"berth/tui/theme"
)

// tape is a source that grows at the end and is forgotten at the start.
type tape struct {
	first int
	lines []string
}

func (t *tape) First() int        { return t.first }
func (t *tape) End() int          { return t.first + len(t.lines) }
func (t *tape) Line(n int) string { return t.lines[n-t.first] }
func (t *tape) grow(n int) {
	for range n {
		t.lines = append(t.lines, fmt.Sprintf("line %d", t.End()))
	}
}
func (t *tape) forget(n int) { t.first, t.lines = t.first+n, t.lines[n:] }

func screen(p *Pager, w, h int) string {
	rows := p.View(theme.Theme{}, w, h)
	for i := range rows {
		rows[i] = strings.TrimRight(text.Strip(rows[i]), " ")
	}
	return strings.Join(rows, "|")
}

func expect(t *testing.T, p *Pager, want string) {
	t.Helper()
	if got := screen(p, 20, 3); got != want {
		t.Errorf("screen is %q, want %q", got, want)
	}
}

func TestFollowingAndScrollLock(t *testing.T) {
	src := &tape{}
	src.grow(10)
	p := New(src, true)
	expect(t, p, "line 7|line 8|line 9")
	src.grow(1)
	expect(t, p, "line 8|line 9|line 10")
	p.Scroll(-2)
	expect(t, p, "line 6|line 7|line 8")
	src.grow(10000)
	expect(t, p, "line 6|line 7|line 8")
	if p.Follows() || p.Below() != 10002 {
		t.Errorf("follows %v, %d below", p.Follows(), p.Below())
	}
	src.forget(3)
	expect(t, p, "line 6|line 7|line 8")
	src.forget(5) // lines 6 and 7 are gone: the view moves no further than it must
	expect(t, p, "line 8|line 9|line 10")
	p.Scroll(1 << 20)
	if !p.Follows() {
		t.Error("the end was reached, and it does not follow")
	}
	p.Home()
	expect(t, p, "line 8|line 9|line 10")
	if !p.AtTop() {
		t.Error("not at the top")
	}
	p.End()
	expect(t, p, "line 10008|line 10009|line 10010")
}

func TestPagesAndColumns(t *testing.T) {
	src := &tape{}
	src.grow(100)
	p := New(src, false)
	expect(t, p, "line 0|line 1|line 2")
	p.Page(1)
	expect(t, p, "line 2|line 3|line 4")
	p.Half(-1)
	expect(t, p, "line 1|line 2|line 3")
	p.Sideways(3)
	expect(t, p, "e 1|e 2|e 3")
	p.Sideways(-9)
	p.End()
	expect(t, p, "line 97|line 98|line 99")
	p.Scroll(5)
	expect(t, p, "line 97|line 98|line 99")
}

func TestWrappedLinesScrollByRows(t *testing.T) {
	p := New(Static{"abcdefgh", "ij", "klmnopqrs"}, false)
	p.SetSize(4, 2)
	p.ToggleWrap()
	if got := screen(p, 4, 2); got != "abcd|efgh" {
		t.Error(got)
	}
	p.Scroll(1)
	if got := screen(p, 4, 2); got != "efgh|ij" {
		t.Error(got)
	}
	p.End()
	if got := screen(p, 4, 2); got != "opqr|s" {
		t.Error(got)
	}
	p.Scroll(-1)
	if got := screen(p, 4, 2); got != "klmn|opqr" {
		t.Error(got)
	}
}

func TestSearch(t *testing.T) {
	src := &tape{}
	src.grow(50)
	p := New(src, true)
	expect(t, p, "line 47|line 48|line 49")
	p.Search(list.NewFilter(`\b\d*7$`))
	if cur, all := p.Hits(); cur != 5 || all != 5 {
		t.Errorf("hit %d of %d", cur, all)
	}
	p.Step(1)
	expect(t, p, "line 6|line 7|line 8")
	p.Step(-1)
	p.Step(-1)
	if cur, _ := p.Hits(); cur != 4 {
		t.Errorf("hit %d", cur)
	}
	p.ToggleOnlyHits()
	p.Home()
	expect(t, p, "line 7|line 17|line 27")
	src.grow(10)
	p.End()
	expect(t, p, "line 37|line 47|line 57")
	src.forget(20)
	p.Home()
	expect(t, p, "line 27|line 37|line 47")
	p.Search(list.NewFilter("nowhere"))
	expect(t, p, "||")
	if p.Step(1) {
		t.Error("stepped to a hit that is not there")
	}
	p.Search(list.Filter{})
	if p.OnlyHits() {
		t.Error("still filtered")
	}
}

func TestHitsAreMarked(t *testing.T) {
	p := New(Static{"a \x1b[31mred\x1b[m b"}, false)
	p.Search(list.NewFilter("red"))
	got := p.View(theme.ANSI16(), 8, 1)[0]
	if got != "a "+string(theme.ANSI16().Hit)+"red\x1b[m b " {
		t.Errorf("%q", got)
	}
	if p.Text() != "a red b\n" {
		t.Errorf("copied %q", p.Text())
	}
}

func TestEmptyAndTiny(t *testing.T) {
	for _, live := range []bool{true, false} {
		p := New(&tape{}, live)
		for _, f := range []func(){p.Home, p.End, func() { p.Scroll(3) }, func() { p.Scroll(-3) }, func() { p.Page(1) }, func() { p.Search(list.NewFilter("x")) }, func() { p.Step(1) }, func() { p.ToggleOnlyHits() }} {
			f()
			for h := range 3 {
				if got := p.View(theme.Theme{}, h, h); len(got) != h {
					t.Fatalf("%d rows", len(got))
				}
			}
		}
	}
}

func TestSelectingIsAsTheSourceHasIt(t *testing.T) {
	p := New(Static{"zero", "\x1b[31mone\x1b[m is longer than ten", "two\nand a half", "three"}, false)
	p.SetSize(10, 6)
	for _, c := range []struct {
		x0, y0, x1, y1 int
		want           string
	}{
		{1, 0, 2, 0, "er"},
		{0, 1, 2, 1, "one"},
		{4, 1, 9, 1, "is longer than ten"}, // to the edge is to the end
		{2, 0, 2, 1, "ro\none"},
		{0, 2, 2, 4, "two\nand a half\nthr"},
		{0, 4, 9, 5, "three\n"},
	} {
		if got := p.Select(c.x0, c.y0, c.x1, c.y1); got != c.want {
			t.Errorf("%v is %q", c, got)
		}
	}
	p.Sideways(4)
	if got := p.Select(0, 1, 1, 1); got != "is" {
		t.Errorf("scrolled sideways: %q", got)
	}
	p.ToggleWrap()
	if got := p.Select(0, 1, 3, 3); got != "one is longer than ten" {
		t.Errorf("wrapped: %q", got)
	}
	p.SetSize(10, 3)
	p.Scroll(2) // the second row of the wrapped line is the first that is drawn
	if got := p.Select(0, 0, 9, 2); got != "ger than ten\ntwo" {
		t.Errorf("scrolled into a wrapped line: %q", got)
	}
}
