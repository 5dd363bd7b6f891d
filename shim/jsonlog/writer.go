package jsonlog

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// Stream is where output came from.
type Stream uint8

// The streams, numbered as in docker's frames. A terminal's output is Stdout.
const (
	Stdout Stream = 1
	Stderr Stream = 2
)

var streamMembers = [...]string{Stdout: `,"stream":"stdout",`, Stderr: `,"stream":"stderr",`}

// Options of a log file.
type Options struct {
	Path     string
	MaxSize  int64             // bytes from which on the file is rotated before the next line; 0: never
	MaxFiles int               // files kept, the current one included; below 2 it is emptied instead
	Compress bool              // rotated files are compressed, in the background
	Attrs    map[string]string // repeated in every line
	Copy     Copy              // gets every line too, if not nil

	Compressed func() // if not nil, called after each compression, which takes memory
}

// Copy is where lines go besides the file.
type Copy interface {
	// Line takes a line, or a part of one unless it is whole, without its end. The
	// bytes are the callee's during the call only.
	Line(s Stream, text []byte, whole bool, at time.Time) error
	Close() error
}

// Writer writes one log file. It is not safe for concurrent use.
//
// Write never fails: lines that cannot be written, because the disk is full for
// example, are counted instead, and as soon as a line can be written again one goes
// before it that tells how many are missing. A line of which only a part fitted is
// completed first, so a reader that follows the file never sees it shrink or break.
type Writer struct {
	opts  Options
	attrs []byte
	clock clock
	f     *os.File // nil without a path, or when opening it after a rotation failed
	size  int64    // of the file
	batch []byte   // lines not written yet
	lines [Stderr + 1]line

	rest    []byte // of a line that was written in part
	missing uint64 // lines dropped since the last one written
	dropped uint64 // in all
	err     error  // of the last attempt to write

	compressing chan error // of the compression under way; nil: none
}

// line is the output of one stream since its last end of line.
type line struct {
	buf   []byte
	split bool      // a part of the line was written
	since time.Time // its time, which its parts share
}

// Open opens the file, appending to what it holds. Without a path there is none, and
// lines only go to opts.Copy.
func Open(opts Options) (*Writer, error) {
	w := &Writer{opts: opts, attrs: encodeAttrs(opts.Attrs)}
	if opts.Path == "" {
		return w, nil
	}
	if err := w.open(0); err != nil {
		return nil, fmt.Errorf("open container log: %w", err)
	}
	return w, nil
}

func (w *Writer) open(flags int) error {
	f, err := os.OpenFile(w.opts.Path, os.O_WRONLY|os.O_CREATE|os.O_APPEND|flags, 0o640)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	w.f, w.size = f, info.Size()
	return nil
}

// Write adds output of stream s. All that is complete is in the file when it returns,
// as far as the disk lets it.
func (w *Writer) Write(s Stream, p []byte) {
	if w == nil {
		return
	}
	l := &w.lines[s]
	for len(p) > 0 {
		n := min(len(p), LineSize-len(l.buf))
		i := bytes.IndexByte(p[:n], '\n')
		switch {
		case i >= 0 && len(l.buf) == 0:
			w.add(s, l, p[:i], true)
			p = p[i+1:]
		case i >= 0:
			l.buf = append(l.buf, p[:i]...)
			w.add(s, l, l.buf, true)
			l.buf = l.buf[:0]
			p = p[i+1:]
		default:
			l.buf = append(l.buf, p[:n]...)
			p = p[n:]
			if len(l.buf) == LineSize {
				w.add(s, l, l.buf, false)
				l.buf = l.buf[:0]
			}
		}
	}
	w.flush()
}

// add encodes one object into the batch. whole says that the line ends with it.
func (w *Writer) add(s Stream, l *line, text []byte, whole bool) {
	if w.opts.MaxSize > 0 && w.size+int64(len(w.batch)) >= w.opts.MaxSize {
		w.flush()
		w.rotate()
	}
	now := l.since
	if !l.split {
		now = time.Now()
	}
	l.split = !whole
	l.since = now
	if w.opts.Copy != nil {
		if err := w.opts.Copy.Line(s, text, whole, now); err != nil {
			w.err = err
			w.dropped++
		} else if w.opts.Path == "" {
			w.err = nil
		}
	}
	if w.opts.Path == "" {
		return
	}

	b := append(w.batch, `{"log":`...)
	b = AppendString(b, text)
	if whole {
		b = append(b[:len(b)-1], '\\', 'n', '"')
	}
	w.batch = w.end(b, s, now)
}

// end completes an object whose text is in b.
func (w *Writer) end(b []byte, s Stream, now time.Time) []byte {
	b = append(b, streamMembers[s]...)
	b = append(b, w.attrs...)
	b = append(b, `"time":"`...)
	b = w.clock.append(b, now)
	return append(b, "\"}\n"...)
}

// flush writes the batch.
func (w *Writer) flush() {
	if len(w.batch) == 0 && len(w.rest) == 0 && w.missing == 0 {
		return
	}
	out, mark := w.batch, 0
	if len(w.rest) > 0 || w.missing > 0 {
		out = append([]byte(nil), w.rest...)
		if w.missing > 0 {
			out = append(out, `{"log":`...)
			out = AppendString(out, "berth: "+strconv.FormatUint(w.missing, 10)+" lines of output are missing here: "+reason(w.err)+"\n")
			out = w.end(out, Stderr, time.Now())
		}
		mark = len(out) // from here on lines are the container's
		out = append(out, w.batch...)
	}
	n, err := w.write(out)
	w.size += int64(n)
	w.settle(out, n, mark)
	if err != nil || n == len(out) {
		w.err = err
	}
	w.batch = w.batch[:0]
}

func (w *Writer) write(p []byte) (int, error) {
	if w.f == nil {
		if err := w.open(0); err != nil {
			return 0, err
		}
	}
	return w.f.Write(p)
}

// settle keeps the books after n bytes of out were written; what stands before mark is
// the rest of a cut line and the line about missing ones.
func (w *Writer) settle(out []byte, n, mark int) {
	if n >= mark && mark > 0 {
		w.missing = 0
	}
	if n < len(w.rest) {
		w.rest = w.rest[n:]
		n, out = 0, out[mark:]
	} else {
		w.rest = nil
		if n < mark { // the line about missing ones was cut: finish it, then count on from zero
			if n > 0 && out[n-1] != '\n' {
				w.rest = append([]byte(nil), out[n:mark]...)
				w.missing = 0
			}
			n, out = 0, out[mark:]
		} else {
			n, out = n-mark, out[mark:]
		}
	}
	if n > 0 && n < len(out) && out[n-1] != '\n' {
		end := n + bytes.IndexByte(out[n:], '\n') + 1
		w.rest = append([]byte(nil), out[n:end]...)
		n = end
	}
	lost := uint64(bytes.Count(out[n:], []byte{'\n'}))
	w.missing += lost
	w.dropped += lost
}

// reason is the cause of err in a few words.
func reason(err error) string {
	var path *os.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	if err == nil {
		return "unknown"
	}
	return err.Error()
}

// Trim gives back the memory that an idle writer does not need.
func (w *Writer) Trim() {
	if w == nil {
		return
	}
	w.batch = nil
	for i := range w.lines {
		if len(w.lines[i].buf) == 0 {
			w.lines[i].buf = nil
		}
	}
}

// State is what a Writer knows beside its file, so that another can go on in its place.
type State struct {
	Lines   [2]LineState // of Stdout and Stderr
	Dropped uint64
}

// LineState is a line of output that has not ended yet.
type LineState struct {
	Text  []byte
	Split bool      // a part of it is in the file
	Since time.Time // its time, if so
}

// State returns the state. It is not ok while lines are missing that the file does not
// tell of yet.
func (w *Writer) State() (s State, ok bool) {
	if w == nil {
		return State{}, true
	}
	for i, l := range w.lines[Stdout:] {
		s.Lines[i] = LineState{Text: l.buf, Split: l.split, Since: l.since}
	}
	s.Dropped = w.dropped
	return s, w.missing == 0 && len(w.rest) == 0 && !w.compresses()
}

// Restore makes a Writer that was just opened go on from s.
func (w *Writer) Restore(s State) {
	if w == nil {
		return
	}
	for i, l := range s.Lines {
		w.lines[int(Stdout)+i] = line{buf: l.Text, split: l.Split, since: l.Since}
	}
	w.dropped = s.Dropped
}

// Dropped is the number of lines that could not be written.
func (w *Writer) Dropped() uint64 {
	if w == nil {
		return 0
	}
	return w.dropped
}

// Err is why the last line could not be written, nil if it could.
func (w *Writer) Err() error {
	if w == nil {
		return nil
	}
	return w.err
}

// End writes what stream s left without an end of line.
func (w *Writer) End(s Stream) {
	if w == nil {
		return
	}
	if l := &w.lines[s]; len(l.buf) > 0 {
		w.add(s, l, l.buf, false)
		*l = line{}
	}
	w.flush()
}

// Close ends all streams and closes the file. A line that never fitted is cut off
// again, so that the file ends with a whole one.
func (w *Writer) Close() error {
	if w == nil {
		return nil
	}
	w.End(Stdout)
	w.End(Stderr)
	err := w.compressed()
	if w.opts.Copy != nil {
		err = errors.Join(err, w.opts.Copy.Close())
	}
	if w.f == nil {
		return errors.Join(err, w.err)
	}
	if len(w.rest) > 0 {
		err = errors.Join(err, w.cutLast())
		w.dropped++
	}
	return errors.Join(err, w.f.Close())
}

// cutLast truncates the file to its last whole line.
func (w *Writer) cutLast() error {
	r, err := os.Open(w.opts.Path)
	if err != nil {
		return err
	}
	defer r.Close()
	// A line cannot be longer: every byte becomes six at most, and there are the
	// attributes.
	tail := make([]byte, min(w.size, int64(6*LineSize+len(w.attrs)+256)))
	if _, err := r.ReadAt(tail, w.size-int64(len(tail))); err != nil {
		return err
	}
	return w.f.Truncate(w.size - int64(len(tail)) + int64(bytes.LastIndexByte(tail, '\n')+1))
}
