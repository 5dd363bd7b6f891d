package pager

import (
	"sort"

	"berth/tui/list"
	"berth/tui/text"
)

// Search looks for lines that a filter lets through; one that is not active ends
// the search. The current hit becomes the first one on screen or below, else the
// last one above. An inverse search only makes sense as a filter: it hides the
// other lines at once.
func (p *Pager) Search(query list.Filter) {
	p.settle()
	wasInverse := p.query.Inverse()
	p.query, p.hits, p.scanned, p.hit = query, nil, p.src.First(), -1
	if !query.Active() {
		p.onlyHits = false
		return
	}
	if query.Inverse() || wasInverse {
		p.onlyHits = query.Inverse()
	}
	p.scan()
	if len(p.hits) == 0 {
		return
	}
	if p.onlyHits {
		p.clamp()
	}
	i := sort.SearchInts(p.hits, p.top)
	if i == len(p.hits) {
		i--
	}
	p.hit = p.hits[i]
	p.reveal(p.hit)
}

// Query is the search in effect.
func (p *Pager) Query() list.Filter { return p.query }

// Hits returns how many lines match and which of them is current, from 1;
// 0 when none is.
func (p *Pager) Hits() (current, total int) {
	p.scan()
	if p.hit >= 0 {
		if i := sort.SearchInts(p.hits, p.hit); i < len(p.hits) && p.hits[i] == p.hit {
			current = i + 1
		}
	}
	return current, len(p.hits)
}

// Step goes to the next hit (+1) or the one before (-1), round the ends.
func (p *Pager) Step(by int) bool {
	p.scan()
	if len(p.hits) == 0 {
		return false
	}
	from := p.hit
	if from < 0 {
		from, _ = p.visible()
	}
	i := sort.SearchInts(p.hits, from)
	switch {
	case by > 0 && i < len(p.hits) && p.hits[i] == from:
		i++
	case by < 0:
		i--
	}
	i = (i + len(p.hits)) % len(p.hits)
	p.hit = p.hits[i]
	p.reveal(p.hit)
	return true
}

// OnlyHits tells whether lines that do not match are hidden.
func (p *Pager) OnlyHits() bool { return p.onlyHits }

// ToggleOnlyHits hides or shows the lines that do not match.
func (p *Pager) ToggleOnlyHits() bool {
	if !p.query.Active() {
		return false
	}
	p.settle()
	p.onlyHits = !p.onlyHits
	p.clamp()
	p.fill()
	return true
}

// reveal scrolls a line into view, with some lines of context above it.
func (p *Pager) reveal(n int) {
	if first, last := p.visible(); n >= first && n <= last {
		return
	}
	p.follow = false
	p.top, p.sub = n, 0
	for range p.height / 3 {
		m, ok := p.prev(p.top)
		if !ok {
			break
		}
		p.top = m
	}
	p.fill()
}

// fill moves up when there are lines above and blank rows below.
func (p *Pager) fill() {
	if top, sub := p.bottom(); p.top > top || p.top == top && p.sub > sub {
		p.top, p.sub = top, sub
	}
}

// scan searches the lines that were not searched yet and forgets hits on lines
// that are gone.
func (p *Pager) scan() {
	if !p.query.Active() {
		return
	}
	line := p.src.Line
	if s, ok := p.src.(searched); ok {
		line = s.Searched
	}
	first, end := p.src.First(), p.src.End()
	if i := sort.SearchInts(p.hits, first); i > 0 {
		p.hits = append(p.hits[:0], p.hits[i:]...)
	}
	for n := max(p.scanned, first); n < end; n++ {
		if p.query.Match(text.Strip(line(n))) {
			p.hits = append(p.hits, n)
		}
	}
	p.scanned = end
}
