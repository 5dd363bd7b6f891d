package api

import (
	"bufio"
	"encoding/binary"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"berth/engine/logs"

	"github.com/moby/moby/api/pkg/stdcopy"
)

// eager is a buffered writer that sends what it has whenever the last sending is done: a line reaches a follower at
// once, and many lines share a system call. Not more than one goroutine may use it.
type eager struct {
	mu   sync.Mutex
	buf  *bufio.Writer
	http *http.ResponseController
	err  error
	any  bool
	kick chan struct{}
	done chan struct{}
}

// eagerBuffer is the most that waits unsent, in bytes; a slow reader blocks the writer then.
const eagerBuffer = 64 << 10

// newEager returns a writer to w, which the caller closes.
func newEager(w http.ResponseWriter) *eager {
	e := &eager{
		buf: bufio.NewWriterSize(w, eagerBuffer), http: http.NewResponseController(w),
		kick: make(chan struct{}, 1), done: make(chan struct{}),
	}
	go e.run()
	return e
}

func (e *eager) run() {
	defer close(e.done)
	for range e.kick {
		e.mu.Lock()
		e.flush()
		e.mu.Unlock()
	}
}

// flush sends what is buffered; e.mu is held.
func (e *eager) flush() {
	if e.err == nil {
		e.err = e.buf.Flush()
	}
	if e.err == nil {
		e.err = e.http.Flush()
	}
}

// Write queues the parts, all or none of them.
func (e *eager) Write(parts ...[]byte) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range parts {
		if e.err == nil {
			_, e.err = e.buf.Write(p)
		}
	}
	e.any = true
	select {
	case e.kick <- struct{}{}:
	default:
	}
	return e.err
}

// began tells whether anything was written.
func (e *eager) began() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.any
}

// Close sends what is left and ends the sender. It returns the first error of all writing.
func (e *eager) Close() error {
	close(e.kick)
	<-e.done
	if e.any {
		e.flush()
	}
	return e.err
}

// lineWriter writes log entries as GET /containers/{id}/logs answers them.
type lineWriter struct {
	out                         *eager
	framed, timestamps, details bool
	prefix                      []byte
}

// logTime is RFC 3339 with all nine digits, so that lines align.
const logTime = "2006-01-02T15:04:05.000000000Z07:00"

// WriteEntry implements engine.LogWriter.
func (l *lineWriter) WriteEntry(e logs.Entry) error {
	stream := stdcopy.Stdout
	if e.Stream == "stderr" {
		stream = stdcopy.Stderr
	}
	text := l.prefix[:0]
	if l.timestamps {
		text = append(e.Time.UTC().AppendFormat(text, logTime), ' ')
	}
	if l.details {
		text = append(appendAttrs(text, e.Attrs), ' ')
	}
	l.prefix = text
	return l.frame(stream, text, e.Line)
}

// frame writes one line, behind a header unless the container has a terminal.
func (l *lineWriter) frame(stream stdcopy.StdType, prefix, line []byte) error {
	if !l.framed {
		return l.out.Write(prefix, line)
	}
	return l.out.Write(frameHeader(stream, len(prefix)+len(line)), prefix, line)
}

// frameHeader is docker's header of a frame of size bytes: {stream, 0, 0, 0, size as 4 bytes, big-endian}.
func frameHeader(stream stdcopy.StdType, size int) []byte {
	header := [8]byte{0: byte(stream)}
	binary.BigEndian.PutUint32(header[4:], uint32(size))
	return header[:]
}

// fail says err to the reader of the log. That it may not arrive changes nothing.
func (l *lineWriter) fail(err error) {
	_ = l.frame(stdcopy.Stderr, nil, []byte(messageOf(err)+"\n"))
}

// appendAttrs appends "a=1,b=2".
func appendAttrs(text []byte, attrs map[string]string) []byte {
	pairs := make([]string, 0, len(attrs))
	for key, value := range attrs {
		pairs = append(pairs, key+"="+value)
	}
	slices.Sort(pairs)
	return append(text, strings.Join(pairs, ",")...)
}

// flushWriter sends every write at once. It is for streams of small JSON values.
type flushWriter struct {
	io.Writer
	http *http.ResponseController
}

func newFlushWriter(w http.ResponseWriter) *flushWriter {
	return &flushWriter{w, http.NewResponseController(w)}
}

func (f *flushWriter) Write(p []byte) (int, error) {
	n, err := f.Writer.Write(p)
	if err == nil {
		err = f.http.Flush()
	}
	return n, err
}
