package logs

import (
	"fmt"
	"strings"
	"time"
)

// Span is the part of a log between two times; a zero time is no bound.
type Span struct {
	Since, Until time.Time
	text         string
}

// String is what the span was made from.
func (s Span) String() string { return s.text }

// Flags are the options of "berth logs" that say the same.
func (s Span) Flags() string {
	out := ""
	for _, f := range []struct {
		name string
		at   time.Time
	}{{"since", s.Since}, {"until", s.Until}} {
		if !f.at.IsZero() {
			out += " --" + f.name + " " + f.at.Format(time.RFC3339)
		}
	}
	return out
}

// between parts since from until.
const between = ".."

// ParseSpan reads "10m", "2h..30m" or times in place of either. A duration is
// counted back from now; a time without a date is the last one that has passed.
func ParseSpan(s string, now time.Time) (Span, error) {
	s = strings.TrimSpace(s)
	from, to, _ := strings.Cut(s, between)
	span := Span{text: s}
	var err error
	if span.Since, err = moment(strings.TrimSpace(from), now); err != nil {
		return Span{}, err
	}
	if span.Until, err = moment(strings.TrimSpace(to), now); err != nil {
		return Span{}, err
	}
	if !span.Until.IsZero() && span.Until.Before(span.Since) {
		return Span{}, fmt.Errorf("%q ends before it begins", s)
	}
	return span, nil
}

// days is how a duration may be given that has no unit in Go.
const days = "d"

// moment is one end of a span.
func moment(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	var n int
	if rest, ok := strings.CutSuffix(s, days); ok {
		if _, err := fmt.Sscanf(rest+"!", "%d!", &n); err == nil && n > 0 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, s, now.Location()); err == nil {
			return t, nil
		}
	}
	for _, layout := range []string{"15:04:05", "15:04"} {
		t, err := time.ParseInLocation(layout, s, now.Location())
		if err != nil {
			continue
		}
		t = time.Date(now.Year(), now.Month(), now.Day(), t.Hour(), t.Minute(), t.Second(), 0, now.Location())
		if t.After(now) {
			t = t.AddDate(0, 0, -1)
		}
		return t, nil
	}
	return time.Time{}, fmt.Errorf("%q is no time: write 10m, 2h, 3d, 09:14 or 2026-11-23 09:14, and 2h..30m for a part", s)
}
