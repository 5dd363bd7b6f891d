package logs

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxLine bounds one line; what is longer goes on in the next.
const maxLine = 64 << 10

// The stream of a container without a terminal is cut into frames:
//
//	byte 0      1 stdout, 2 stderr, 3 error of the engine
//	bytes 1-3   0
//	bytes 4-7   length of what follows, big endian
//
// (Engine API, "Attach to a container": stream format).
const (
	frameHeader = 8
	frameStderr = 2
	frameError  = 3
)

// Read splits a log stream into lines, each begun with its time as the
// timestamps option of the API gives it, and calls emit for each until the
// stream ends. mux tells whether the stream is framed. The error is nil at the
// end of the stream.
func Read(r io.Reader, mux bool, emit func(Line)) error {
	br := bufio.NewReaderSize(r, maxLine)
	if !mux {
		return readLines(br, false, &partial{}, emit)
	}
	var out, errs partial
	var head [frameHeader]byte
	for {
		if _, err := io.ReadFull(br, head[:]); err != nil {
			out.flush(false, emit)
			errs.flush(true, emit)
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("reading a log frame: %w", err)
		}
		body := io.LimitReader(br, int64(binary.BigEndian.Uint32(head[4:])))
		switch head[0] {
		case frameError:
			msg, err := io.ReadAll(body)
			return errors.Join(fmt.Errorf("engine: %s", strings.TrimSpace(string(msg))), err)
		case frameStderr:
			if err := errs.take(body, true, emit); err != nil {
				return err
			}
		default:
			if err := out.take(body, false, emit); err != nil {
				return err
			}
		}
	}
}

// readLines is Read for a stream without frames: that of a terminal.
func readLines(r io.Reader, stderr bool, p *partial, emit func(Line)) error {
	p.terminal = true
	err := p.take(r, stderr, emit)
	p.flush(stderr, emit)
	return err
}

// partial is a line whose end has not come yet.
type partial struct {
	buf      []byte
	terminal bool // which ends lines in CR LF
}

// take splits all of r.
func (p *partial) take(r io.Reader, stderr bool, emit func(Line)) error {
	var chunk [16 << 10]byte
	for {
		n, err := r.Read(chunk[:])
		rest := chunk[:n]
		for len(rest) > 0 {
			i := indexNewline(rest)
			if i < 0 {
				p.buf = append(p.buf, rest...)
				if len(p.buf) >= maxLine {
					p.flush(stderr, emit)
				}
				break
			}
			p.buf = append(p.buf, rest[:i]...)
			p.force(stderr, emit)
			rest = rest[i+1:]
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading a log: %w", err)
		}
	}
}

// flush emits what has come of a line, if anything.
func (p *partial) flush(stderr bool, emit func(Line)) {
	if len(p.buf) > 0 {
		p.force(stderr, emit)
	}
}

// force emits the line, also when it is empty, with the time in front split off.
func (p *partial) force(stderr bool, emit func(Line)) {
	s := string(p.buf)
	if p.terminal {
		s = strings.TrimSuffix(s, "\r")
	}
	p.buf = p.buf[:0]
	l := Line{Text: s, Stderr: stderr}
	if at := strings.IndexByte(s, ' '); at >= 20 && at <= 35 && s[4] == '-' && s[10] == 'T' {
		l.Time, l.Text = s[:at], s[at+1:]
	}
	emit(l)
}

// indexNewline is the place of the first line end, or -1.
func indexNewline(b []byte) int {
	for i, c := range b {
		if c == '\n' {
			return i
		}
	}
	return -1
}
