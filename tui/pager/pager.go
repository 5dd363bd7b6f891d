// Package pager scrolls, wraps and searches lines that it does not own.
//
// Lines are numbered once and for all: a [Source] that forgets its oldest lines
// raises First, and numbers never move. So a view that is scrolled up stays on
// its lines whatever is appended or dropped. Cost follows the rows on screen,
// except for a search, which reads each line once.
//
// Terms: a line is the source's, a row is what fits the screen (a wrapped line
// has several, and so has one with line ends in it), a hit is a line that
// matches the search.
package pager

import (
	"sort"
	"strings"

	"berth/tui/list"
	"berth/tui/text"
)

// Source is numbered lines [First, End).
type Source interface {
	First() int
	End() int
	// Line returns a line ready to show: cleaned, colours allowed. Line ends in
	// it begin new rows.
	Line(n int) string
}

// searched is a Source whose lines are searched in another form than they are
// shown in.
type searched interface{ Searched(n int) string }

// Pager is a window onto a Source.
type Pager struct {
	src      Source
	top, sub int // first visible line and the first visible row of it
	left     int // first visible column when not wrapping
	follow   bool
	live     bool
	wrap     bool

	query    list.Filter
	hits     []int // matching lines, ascending
	scanned  int   // lines below it were searched
	hit      int   // line of the current hit, -1
	onlyHits bool

	width, height int
}

// New is a pager at the first line, or, when live, one that follows the last.
func New(src Source, live bool) *Pager {
	return &Pager{src: src, live: live, follow: live, top: src.First(), hit: -1}
}

// SetSource shows other lines, from the start (or end when live), keeping the
// search and the switches.
func (p *Pager) SetSource(src Source) {
	p.src, p.follow, p.top, p.sub, p.left = src, p.live, src.First(), 0, 0
	p.hits, p.scanned, p.hit = nil, src.First(), -1
}

// Replace shows a new version of the same lines: the place is kept.
func (p *Pager) Replace(src Source) {
	p.src, p.hits, p.scanned = src, nil, src.First()
}

// SetSize says how many cells View will get; scrolling by pages needs it.
func (p *Pager) SetSize(width, height int) { p.width, p.height = width, height }

// Follows tells whether the view sticks to the last line.
func (p *Pager) Follows() bool { return p.follow }

// SetFollow sticks the view to the last line, or leaves it where it is.
func (p *Pager) SetFollow(on bool) {
	if !on && p.follow {
		p.settle()
	}
	p.follow = on && p.live
}

// Wraps tells whether long lines are wrapped.
func (p *Pager) Wraps() bool { return p.wrap }

// ToggleWrap switches wrapping; the top line stays.
func (p *Pager) ToggleWrap() {
	p.settle()
	p.wrap, p.sub, p.left = !p.wrap, 0, 0
}

// AtTop tells whether the oldest line is on the first row.
func (p *Pager) AtTop() bool {
	p.clamp()
	first, ok := p.firstLine()
	return !ok || !p.follow && p.top <= first && p.sub == 0
}

// Below counts the lines under the visible ones.
func (p *Pager) Below() int {
	if p.follow {
		return 0
	}
	_, last := p.visible()
	return max(p.src.End()-1-last, 0)
}

// next and prev step through the lines that are shown.
func (p *Pager) next(n int) (int, bool) {
	if !p.onlyHits {
		return n + 1, n+1 < p.src.End()
	}
	i := sort.SearchInts(p.hits, n+1)
	if i == len(p.hits) {
		return 0, false
	}
	return p.hits[i], true
}

// prev is the shown line before line n.
func (p *Pager) prev(n int) (int, bool) {
	if !p.onlyHits {
		return n - 1, n-1 >= p.src.First()
	}
	i := sort.SearchInts(p.hits, n)
	if i == 0 {
		return 0, false
	}
	return p.hits[i-1], true
}

// firstLine and lastLine are the ends of what is shown.
func (p *Pager) firstLine() (int, bool) { return p.next(p.src.First() - 1) }
func (p *Pager) lastLine() (int, bool)  { return p.prev(p.src.End()) }

// clamp brings top back to a line that exists.
func (p *Pager) clamp() {
	p.scan()
	first, ok := p.firstLine()
	if !ok {
		p.top, p.sub = p.src.First(), 0
		return
	}
	if p.top < first {
		p.top, p.sub = first, 0
	}
	if last, _ := p.lastLine(); p.top > last {
		p.top, p.sub = last, 0
	}
	if p.onlyHits {
		if n, ok := p.next(p.top - 1); ok && n != p.top {
			p.top, p.sub = n, 0
		}
	}
}

// settle turns "follows the end" into a fixed position.
func (p *Pager) settle() {
	p.clamp()
	if p.follow {
		p.top, p.sub = p.bottom()
	}
}

// bottom is the position that puts the last row on the last screen row.
func (p *Pager) bottom() (top, sub int) {
	n, ok := p.lastLine()
	if !ok {
		return p.src.First(), 0
	}
	left := p.height
	for {
		rows := p.rows(n)
		if rows >= left {
			return n, rows - left
		}
		left -= rows
		m, ok := p.prev(n)
		if !ok {
			return n, 0
		}
		n = m
	}
}

// rows is how many rows a line takes.
func (p *Pager) rows(n int) int {
	if n < p.src.First() || n >= p.src.End() { // there is no line at all
		return 1
	}
	line := p.src.Line(n)
	rows := 1 + strings.Count(line, "\n")
	if !p.wrap || p.width <= 0 || rows == 1 && text.Width(line) <= p.width {
		return rows
	}
	rows = 0
	for part := range strings.SplitSeq(line, "\n") {
		rows += len(text.Wrap(part, p.width))
	}
	return rows
}

// Scroll moves by rows, down when positive. Reaching the end of live lines
// follows them again.
func (p *Pager) Scroll(rows int) {
	if p.follow && rows >= 0 {
		return
	}
	p.settle()
	p.follow = false
	for ; rows < 0; rows++ {
		if p.sub > 0 {
			p.sub--
			continue
		}
		n, ok := p.prev(p.top)
		if !ok {
			return
		}
		p.top, p.sub = n, p.rows(n)-1
	}
	if rows == 0 {
		return
	}
	endTop, endSub := p.bottom()
	for ; rows > 0 && (p.top < endTop || p.top == endTop && p.sub < endSub); rows-- {
		if p.sub+1 < p.rows(p.top) {
			p.sub++
		} else if n, ok := p.next(p.top); ok {
			p.top, p.sub = n, 0
		}
	}
	if p.live && (p.top > endTop || p.top == endTop && p.sub >= endSub) {
		p.follow = true
	}
}

// Page scrolls by screens, Half by half ones.
func (p *Pager) Page(n int) { p.Scroll(n * max(p.height-1, 1)) }

// Half scrolls by half screens.
func (p *Pager) Half(n int) { p.Scroll(n * max(p.height/2, 1)) }

// Home goes to the oldest line.
func (p *Pager) Home() {
	p.follow = false
	p.top, p.sub, p.left = p.src.First(), 0, 0
	p.clamp()
}

// End goes to the last line, and follows it when live.
func (p *Pager) End() {
	p.clamp()
	p.top, p.sub = p.bottom()
	p.follow = p.live
}

// Left is the first visible column.
func (p *Pager) Left() int { return p.left }

// Sideways scrolls long lines by columns when not wrapping.
func (p *Pager) Sideways(columns int) {
	if !p.wrap {
		p.left = max(p.left+columns, 0)
	}
}

// visible is the first and last line on screen.
func (p *Pager) visible() (first, last int) {
	p.clamp()
	first, sub := p.top, p.sub
	if p.follow {
		first, sub = p.bottom()
	}
	last = first
	for left := p.height - (p.rows(first) - sub); left > 0; {
		n, ok := p.next(last)
		if !ok {
			break
		}
		last = n
		left -= p.rows(n)
	}
	return first, last
}
