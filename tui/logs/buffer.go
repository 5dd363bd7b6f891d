// Package logs keeps a bounded piece of the log of a container, or of several
// merged by time, and shows it.
//
// Lines arrive in batches from one stream; a source is one of the containers
// that the stream is made of. The buffer holds at most [MaxBytes]
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
	Source int // which of the containers wrote it, from 0
}

// Buffer is a pager.Source over the newest lines of a log.
type Buffer struct {
	lines   []Line
	head    int // lines[:head] are forgotten
	bytes   int
	dropped int
	maxSize int

	times  bool
	pretty bool     // JSON is laid out
	names  []string // of the sources, shown when there are several
	theme  theme.Theme
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

// at is line n as it came.
func (b *Buffer) at(n int) Line { return b.lines[b.head+n-b.dropped] }

// Line returns line n cleaned, with its time and its container's name in front
// when these are shown. JSON that is laid out has several rows.
func (b *Buffer) Line(n int) string {
	l := b.at(n)
	if b.pretty {
		if rows, ok := pretty(b.theme, l.Text); ok {
			return b.front(l) + rows
		}
	}
	s := text.CleanSGR(l.Text)
	if l.Stderr && !strings.Contains(s, "\x1b") {
		s = b.theme.Warn.Render(s)
	}
	return b.front(l) + s
}

// Searched is the line as it is searched: that it is laid out changes no hit.
func (b *Buffer) Searched(n int) string {
	l := b.at(n)
	return b.front(l) + text.CleanSGR(l.Text)
}

// nameWidth bounds the names in front of lines.
const nameWidth = 18

// front is what stands before a line: time and name, as far as they are shown.
func (b *Buffer) front(l Line) string {
	s := ""
	if b.times && len(l.Time) >= 19 {
		s = b.theme.Dim.Render(text.Clean(stamp(l.Time))) + " "
	}
	if len(b.names) < 2 || l.Source >= len(b.names) {
		return s
	}
	width := 0
	for _, name := range b.names {
		width = max(width, min(text.Width(name), nameWidth))
	}
	return s + nameStyle(b.theme, l.Source).Render(text.Fit(b.names[l.Source], width)) + b.theme.Dim.Render("│")
}

// nameStyle is the colour of a source, for as many as can be told apart.
func nameStyle(th theme.Theme, source int) theme.Style {
	styles := []theme.Style{th.Info, th.Good, th.Mark, th.Accent, th.Warn, th.Literal}
	return styles[source%len(styles)]
}

// Mark is where a source's part of the log ends: the time of its last line, and
// how many lines of it have that time.
type Mark struct {
	Time  string
	Lines int
}

// Mark returns the mark of a source; its zero value when nothing of it is kept.
func (b *Buffer) Mark(source int) Mark {
	var m Mark
	for n := b.End() - 1; n >= b.First(); n-- {
		switch l := b.at(n); {
		case l.Source != source || l.Time == "": // the rest of a line that was cut has no time
		case m.Time == "":
			m = Mark{l.Time, 1}
		case l.Time == m.Time:
			m.Lines++
		default:
			return m
		}
	}
	return m
}

// stamp shortens 2026-11-23T09:14:02.123456789Z to 11-23 09:14:02.123.
func stamp(t string) string {
	s := t[5:10] + " " + t[11:19]
	if len(t) >= 23 && t[19] == '.' {
		s += t[19:23]
	}
	return s
}
