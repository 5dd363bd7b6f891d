package pager

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"berth/tui/list"
	"berth/tui/text"
	"berth/tui/theme"
)

// walk is a pager under random operations, and what must hold after each.
type walk struct {
	t    *testing.T
	rnd  *rand.Rand
	src  *tape
	p    *Pager
	w, h int
	log  []string // what was done, for the failure
}

func (k *walk) step() {
	before := k.numbers()
	followed := k.p.Follows()
	op := k.rnd.IntN(14)
	n := k.rnd.IntN(9) - 4
	k.log = append(k.log, fmt.Sprintf("%d(%d)", op, n))
	switch op {
	case 0:
		k.add(k.rnd.IntN(30))
		if !followed && len(before) > 0 {
			k.steady(before)
		}
	case 1:
		k.src.forget(k.rnd.IntN(len(k.src.lines)/3 + 1))
	case 2, 3:
		k.p.Scroll(n)
	case 4:
		k.p.Page(n)
	case 5:
		k.p.Half(n)
	case 6:
		k.p.Home()
		if !k.p.AtTop() {
			k.fail("home is not the top")
		}
	case 7:
		k.p.End()
		if !k.p.Follows() {
			k.fail("the end is not followed")
		}
	case 8:
		k.p.ToggleWrap()
	case 9:
		k.p.Search(list.NewFilter([]string{"7", "line 1", "[02468]$", "never"}[k.rnd.IntN(4)]))
	case 10:
		k.p.Step(1 - 2*k.rnd.IntN(2))
		if cur, all := k.p.Hits(); cur > all {
			k.fail(fmt.Sprintf("hit %d of %d", cur, all))
		}
	case 11:
		k.p.ToggleOnlyHits()
	case 12:
		k.w, k.h = k.rnd.IntN(40), k.rnd.IntN(12)
	case 13:
		k.p.Search(list.Filter{})
	}
	k.check()
}

// add appends lines of many lengths, some with wide letters and colours.
func (k *walk) add(n int) {
	for range n {
		k.src.lines = append(k.src.lines, fmt.Sprintf("line %d \x1b[3%dm%s\x1b[m", k.src.End(), k.rnd.IntN(8), strings.Repeat("日ab ", k.rnd.IntN(12))))
	}
}

// steady tells that lines which came at the end have moved nothing.
func (k *walk) steady(before []int) {
	after := k.numbers()
	if len(after) == 0 || after[0] != before[0] {
		k.fail(fmt.Sprintf("new lines moved the view from %v to %v", before, after))
	}
}

// numbers are the lines on the screen, without wrapping and filters.
func (k *walk) numbers() []int {
	if k.p.Wraps() || k.p.OnlyHits() || k.w < 12 || k.p.Left() > 0 {
		return nil
	}
	var out []int
	for _, row := range k.p.View(theme.Theme{}, k.w, k.h) {
		var n int
		if _, err := fmt.Sscanf(text.Strip(row), "line %d", &n); err == nil {
			out = append(out, n)
		}
	}
	return out
}

// check tells what holds always: the size is exact, the lines follow one
// another, all of them exist, and hits are only shown when asked for.
func (k *walk) check() {
	rows := k.p.View(theme.ANSI16(), k.w, k.h)
	if len(rows) != k.h {
		k.fail(fmt.Sprintf("%d rows of %d", len(rows), k.h))
	}
	for _, r := range rows {
		if text.Width(r) != k.w {
			k.fail(fmt.Sprintf("%q is %d wide, not %d", r, text.Width(r), k.w))
		}
	}
	numbers := k.numbers()
	for i, n := range numbers {
		if n < k.src.First() || n >= k.src.End() {
			k.fail(fmt.Sprintf("line %d is shown, there are %d to %d", n, k.src.First(), k.src.End()))
		}
		if i > 0 && n != numbers[i-1]+1 {
			k.fail(fmt.Sprintf("lines %v", numbers))
		}
	}
	if k.p.Follows() && len(numbers) > 0 && numbers[len(numbers)-1] != k.src.End()-1 {
		k.fail(fmt.Sprintf("follows, and shows %v of %d", numbers, k.src.End()))
	}
	if b := k.p.Below(); b < 0 || b > k.src.End()-k.src.First() {
		k.fail(fmt.Sprintf("%d lines below", b))
	}
}

func (k *walk) fail(what string) {
	k.t.Helper()
	k.t.Fatalf("%s, at %d×%d after %v", what, k.w, k.h, k.log[max(len(k.log)-12, 0):])
}

func TestRandomOperations(t *testing.T) {
	for seed := range uint64(60) {
		k := &walk{t: t, rnd: rand.New(rand.NewPCG(seed, 7)), src: &tape{}, w: 30, h: 8}
		k.p = New(k.src, true)
		k.add(5)
		k.check()
		for range 150 {
			k.step()
		}
	}
}

// The cost of drawing does not grow with the number of lines.
func BenchmarkViewOfAMillionLines(b *testing.B) {
	src := &tape{lines: make([]string, 1_000_000)}
	for i := range src.lines {
		src.lines[i] = "a line"
	}
	p := New(src, true)
	for b.Loop() {
		p.View(theme.Theme{}, 100, 40)
	}
}
