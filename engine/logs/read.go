package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
)

// Read calls fn for the entries of the log at path, oldest first. A log that
// does not exist (yet) is empty.
//
// With Follow it goes on until ended is closed and everything written before
// has been delivered, until Until, or until ctx ends (whose error it returns).
// A nil ended never closes.
func Read(ctx context.Context, path string, o Options, ended <-chan struct{}, fn func(Entry) error) error {
	r := &reader{path: path, opts: o, fn: fn}
	defer r.close()
	var w *watch
	if o.Follow {
		// Watching begins before reading: what is written in between wakes us up.
		var err error
		if w, err = newWatch(path); err != nil {
			return err
		}
		defer w.close()
	}
	if err := r.begin(ctx); err != nil {
		return err
	}
	over := !o.Follow
	for {
		// Looked at before reading: what the writer wrote until then is there.
		if !over {
			select {
			case <-ended:
				over = true
			default:
			}
		}
		if err := r.drain(ctx); err != nil {
			if errors.Is(err, errUntil) {
				return nil
			}
			return err
		}
		if over {
			return nil
		}
		if err := w.wait(ctx, ended, o.Until); errors.Is(err, errUntil) {
			over = true // once more, for what was written just before
		} else if err != nil {
			return err
		}
	}
}

// errUntil ends the reading at the first entry after Until.
var errUntil = errors.New("until has passed")

// reader walks the files of a log, from a rotated one to the current.
type reader struct {
	path string
	opts Options
	fn   func(Entry) error

	file   *os.File
	origin string // of the file, if it was compressed
	buf    []byte // read, not yet delivered; begins at a line
	dec    decoder
}

func (r *reader) close() {
	if r.file != nil {
		r.file.Close()
	}
}

// begin delivers what the rotated files hold, and opens the current one where
// the reading has to begin.
func (r *reader) begin(ctx context.Context) error {
	files, err := openAll(r.path)
	if err != nil {
		return err
	}
	defer func() { closeAll(files) }()
	if r.opts.Tail >= 0 {
		if files, err = r.seekTail(files); err != nil {
			return err
		}
	}
	for len(files) > 0 {
		f := files[0]
		files = files[1:]
		if err := r.use(f); err != nil {
			return err
		}
		if len(files) == 0 {
			return nil // the current one: drain goes on with it
		}
		if err := r.drainFile(ctx); err != nil {
			if errors.Is(err, errUntil) {
				return nil
			}
			return err
		}
	}
	return nil
}

// drain delivers everything there is now, following rotations: once the
// current file's name belongs to another file, the rest of the open one is
// read first.
func (r *reader) drain(ctx context.Context) error {
	for {
		if r.file == nil {
			f, err := os.Open(r.path)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("open log: %w", err)
			}
			r.file, r.origin = f, ""
		}
		if err := r.drainFile(ctx); err != nil {
			return err
		}
		next, err := r.successor()
		if err != nil {
			return err
		}
		if next == nil {
			again, err := r.rewind()
			if err != nil || !again {
				return err
			}
			continue
		}
		// It was renamed after our last read at the earliest: read what came in between.
		if err := r.drainFile(ctx); err != nil {
			next.close()
			return err
		}
		r.buf = r.buf[:0]
		if err := r.use(next); err != nil {
			return err
		}
	}
}

// use makes f the file that is read.
func (r *reader) use(f *source) error {
	r.close()
	r.file = nil
	if err := f.unpack(); err != nil {
		f.close()
		return err
	}
	r.file, r.origin = f.file, f.origin
	return nil
}

// successor opens the file that came after the open one, nil while that is the
// current one, or the next is not made yet. When ours is gone already, what is
// left begins with the oldest.
func (r *reader) successor() (*source, error) {
	mine, err := r.file.Stat()
	if err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	for {
		before, err := look(r.path)
		if err != nil || len(before) == 0 {
			return nil, err
		}
		// The next newer one stands before ours, even beside a gap.
		i := slices.IndexFunc(before, func(s slot) bool { return s.holds(mine, r.origin) })
		if i < 0 {
			i = len(before)
		}
		if i == 0 {
			return nil, nil
		}
		f, err := before[i-1].open()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		after, err := look(r.path)
		if err == nil && same(before, after) {
			return f, nil
		}
		f.close()
		if err != nil {
			return nil, err
		}
	}
}

// rewind goes back to the beginning if the file was emptied in place (max-file=1).
func (r *reader) rewind() (bool, error) {
	info, err := r.file.Stat()
	if err != nil {
		return false, fmt.Errorf("read log: %w", err)
	}
	at, err := r.file.Seek(0, io.SeekCurrent)
	if err != nil {
		return false, fmt.Errorf("read log: %w", err)
	}
	if info.Size() >= at {
		return false, nil
	}
	r.buf = r.buf[:0]
	if _, err := r.file.Seek(0, io.SeekStart); err != nil {
		return false, fmt.Errorf("read log: %w", err)
	}
	return true, nil
}
