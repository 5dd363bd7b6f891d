// Package logs reads the json-file logs that shims write: one JSON object a
// line, {"log":"text\n","stream":"stdout","time":"RFC 3339 with nanoseconds"},
// in a file and its rotated predecessors (path.1 is the youngest of them), which may
// be compressed (path.1.gz).
//
// Reading never holds more than a line and a read buffer in memory. Tail finds
// its beginning from the end of the newest file. Follow waits on inotify and ends
// when the writer is gone and everything it wrote has been delivered.
package logs

import "time"

// Entry is one line of a log. Line keeps its newline; a line longer than the
// shim's limit comes in parts, of which only the last has one.
type Entry struct {
	Time   time.Time
	Stream string // "stdout" or "stderr"
	Line   []byte // valid until the callback returns
	Attrs  map[string]string
}

// Options choose entries.
type Options struct {
	Follow         bool
	Stdout, Stderr bool
	Since, Until   time.Time // inclusive; zero: no limit
	Tail           int       // the last n that pass; negative: all
}

func (o *Options) wants(stream string) bool {
	return stream == "stdout" && o.Stdout || stream == "stderr" && o.Stderr
}
