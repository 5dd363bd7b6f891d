// Package logs keeps a bounded piece of a container's log and shows it.
//
// Lines arrive in batches from one stream. The buffer holds at most [MaxBytes]
// of text; when it is full the oldest lines go, and their number is known, so
// nothing is lost silently.
package logs

import (
	"strings"

	"berth/tui/text"
	"berth/tui/theme"
)

// MaxBytes and MaxLines bound a buffer. A line costs its text and about 48 bytes.
const (
	MaxBytes = 16 << 20
	MaxLines = 200_000
)

// Line is one line of a log as the engine sent it.
type Line struct {
	Time   string // RFC 3339 with nanoseconds, or empty
	Text   string // without line end
	Stderr bool
}

// Buffer is a pager.Source over the newest lines of a log.
type Buffer struct {
	lines   []Line
	head    int // lines[:head] are forgotten
	bytes   int
	dropped int
	maxSize int

	times bool
	theme theme.Theme
}

// NewBuffer is an empty buffer.
func NewBuffer(th theme.Theme) *Buffer { return &Buffer{theme: th, maxSize: MaxBytes} }

// First is the number of lines dropped, which is the number of the oldest kept.
func (b *Buffer) First() int { return b.dropped }

// End is the number of lines ever appended.
func (b *Buffer) End() int { return b.dropped + len(b.lines) - b.head }

// Dropped counts the lines that were forgotten for want of room.
func (b *Buffer) Dropped() int { return b.dropped }

// Full tells whether the next line costs an old one.
func (b *Buffer) Full() bool { return len(b.lines)-b.head >= MaxLines || b.bytes >= b.maxSize }

// Append adds lines and forgets the oldest beyond the bounds, unless keep is
// set: whoever reads an old line must not lose it while looking, and stops the
// stream instead.
func (b *Buffer) Append(lines []Line, keep bool) {
	b.lines = append(b.lines, lines...)
	for _, l := range lines {
		b.bytes += len(l.Text)
	}
	if keep {
		return
	}
	for len(b.lines)-b.head > MaxLines || b.bytes > b.maxSize && len(b.lines)-b.head > 1 {
		b.bytes -= len(b.lines[b.head].Text)
		b.lines[b.head] = Line{}
		b.head++
		b.dropped++
	}
	if b.head > 1024 && b.head > len(b.lines)/2 {
		b.lines = append(b.lines[:0:0], b.lines[b.head:]...)
		b.head = 0
	}
}

// Line returns line n cleaned, with its time in front when times are shown.
func (b *Buffer) Line(n int) string {
	l := b.lines[b.head+n-b.dropped]
	s := text.CleanSGR(l.Text)
	if l.Stderr && !strings.Contains(s, "\x1b") {
		s = b.theme.Warn.Render(s)
	}
	if b.times && len(l.Time) >= 19 {
		s = b.theme.Dim.Render(text.Clean(stamp(l.Time))) + " " + s
	}
	return s
}

// stamp shortens 2026-11-23T09:14:02.123456789Z to 11-23 09:14:02.123.
func stamp(t string) string {
	s := t[5:10] + " " + t[11:19]
	if len(t) >= 23 && t[19] == '.' {
		s += t[19:23]
	}
	return s
}
