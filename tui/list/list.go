// Package list is a list with a cursor, marks, ranges and a filter.
//
// The cursor and the marks belong to rows by ID, not by position: when rows
// come, go or change places, they stay with their row. The list is virtual:
// drawing asks for the visible rows only.
package list

import "slices"

// List shows rows of type T.
type List[T any] struct {
	id    func(T) string
	match func(T) string

	all    []T
	shown  []T
	filter Filter

	cursor int
	top    int
	height int
	marks  map[string]bool
	anchor string // where a range began, "" for none
}

// New is an empty list. id tells rows apart, match is the text that the filter
// looks at.
func New[T any](id, match func(T) string) *List[T] {
	return &List[T]{id: id, match: match, marks: map[string]bool{}}
}

// Set replaces the rows. The cursor stays on its row; if that is gone, at its
// place.
func (l *List[T]) Set(rows []T) {
	current := l.currentID()
	l.all = rows
	have := make(map[string]bool, len(rows))
	for _, r := range rows {
		have[l.id(r)] = true
	}
	for id := range l.marks {
		if !have[id] {
			delete(l.marks, id)
		}
	}
	if l.anchor != "" && !have[l.anchor] {
		l.anchor = ""
	}
	l.refilter(current)
}

// SetFilter changes the filter.
func (l *List[T]) SetFilter(f Filter) {
	l.filter = f
	l.refilter(l.currentID())
}

// Filter is the filter in effect.
func (l *List[T]) Filter() Filter { return l.filter }

// refilter makes the shown rows anew and puts the cursor back on a row, or
// leaves it at its place when that row is not shown any more.
func (l *List[T]) refilter(current string) {
	l.shown = l.shown[:0]
	for _, r := range l.all {
		if !l.filter.Active() || l.filter.Match(l.match(r)) {
			l.shown = append(l.shown, r)
		}
	}
	if i := l.index(current); i >= 0 {
		l.cursor = i
	}
	l.clamp()
}

// index is the place of a row among the shown ones, or -1.
func (l *List[T]) index(id string) int {
	if id == "" {
		return -1
	}
	return slices.IndexFunc(l.shown, func(r T) bool { return l.id(r) == id })
}

// clamp keeps the cursor on a row and the window over the cursor.
func (l *List[T]) clamp() {
	l.cursor = max(min(l.cursor, len(l.shown)-1), 0)
	if l.height > 0 {
		l.top = max(min(l.top, len(l.shown)-l.height), 0)
		if l.cursor < l.top {
			l.top = l.cursor
		}
		if l.cursor >= l.top+l.height {
			l.top = l.cursor - l.height + 1
		}
	}
}

// Len is how many rows pass the filter, Total how many there are.
func (l *List[T]) Len() int { return len(l.shown) }

// Total is how many rows there are.
func (l *List[T]) Total() int { return len(l.all) }

// Has tells whether there is a row with an ID, shown or not.
func (l *List[T]) Has(id string) bool {
	return slices.ContainsFunc(l.all, func(r T) bool { return l.id(r) == id })
}

// Current is the row under the cursor.
func (l *List[T]) Current() (row T, ok bool) {
	if l.cursor < len(l.shown) {
		return l.shown[l.cursor], true
	}
	return row, false
}

// currentID is the ID of the row under the cursor, or "".
func (l *List[T]) currentID() string {
	if r, ok := l.Current(); ok {
		return l.id(r)
	}
	return ""
}

// Move moves the cursor by rows.
func (l *List[T]) Move(by int) {
	l.cursor += by
	l.clamp()
}

// Page moves by screens.
func (l *List[T]) Page(by int) { l.Move(by * max(l.height-1, 1)) }

// Select puts the cursor on a row and tells whether it is shown.
func (l *List[T]) Select(id string) bool {
	i := l.index(id)
	if i < 0 {
		return false
	}
	l.cursor = i
	l.clamp()
	return true
}

// Mark marks the row under the cursor, or takes the mark away, and goes down.
// A range that was begun is marked as a whole instead.
func (l *List[T]) Mark() {
	if l.anchor != "" {
		for _, r := range l.span() {
			l.marks[l.id(r)] = true
		}
		l.anchor = ""
		return
	}
	id := l.currentID()
	if id == "" {
		return
	}
	if l.marks[id] {
		delete(l.marks, id)
	} else {
		l.marks[id] = true
	}
	l.Move(1)
}

// Range begins a range at the cursor, or gives it up.
func (l *List[T]) Range() {
	if l.anchor != "" {
		l.anchor = ""
		return
	}
	l.anchor = l.currentID()
}

// span is the range from its beginning to the cursor.
func (l *List[T]) span() []T {
	i := l.index(l.anchor)
	if i < 0 {
		return nil
	}
	return l.shown[min(i, l.cursor) : max(i, l.cursor)+1]
}

// Clear takes away marks and range, and tells whether there were any.
func (l *List[T]) Clear() bool {
	had := len(l.marks) > 0 || l.anchor != ""
	clear(l.marks)
	l.anchor = ""
	return had
}

// Marked tells whether a row is marked or in the range.
func (l *List[T]) Marked(row T) bool {
	id := l.id(row)
	if l.marks[id] {
		return true
	}
	return slices.ContainsFunc(l.span(), func(r T) bool { return l.id(r) == id })
}

// Marks counts the rows that are marked or in the range.
func (l *List[T]) Marks() int {
	n := len(l.marks)
	for _, r := range l.span() {
		if !l.marks[l.id(r)] {
			n++
		}
	}
	return n
}

// Chosen is what verbs act on: the marked rows and the range, in order, or the
// row under the cursor when nothing is marked.
func (l *List[T]) Chosen() []T {
	var out []T
	for _, r := range l.shown {
		if l.Marked(r) {
			out = append(out, r)
		}
	}
	if out == nil {
		if r, ok := l.Current(); ok {
			out = append(out, r)
		}
	}
	return out
}

// Visible returns the rows that a list of the given height shows, and which of
// them has the cursor.
func (l *List[T]) Visible(height int) (rows []T, cursor int) {
	l.height = height
	l.clamp()
	if height <= 0 {
		return nil, 0
	}
	return l.shown[l.top:min(l.top+height, len(l.shown))], l.cursor - l.top
}
