package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
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

	file *os.File
	buf  []byte // read, not yet delivered; begins at a line
	dec  decoder
}

func (r *reader) close() {
	if r.file != nil {
		r.file.Close()
	}
}

// rotated is the name of the n-th predecessor; 0 is the current file.
func rotated(path string, n int) string {
	if n == 0 {
		return path
	}
	return path + "." + strconv.Itoa(n)
}

// begin delivers what the rotated files hold, and opens the current one where
// the reading has to begin.
func (r *reader) begin(ctx context.Context) error {
	files, err := openAll(r.path)
	if err != nil {
		return err
	}
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	if r.opts.Tail >= 0 {
		if files, err = r.seekTail(files); err != nil {
			return err
		}
	}
	for len(files) > 0 {
		r.close()
		r.file, files = files[0], files[1:]
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

// openAll opens the files of a log, oldest first.
func openAll(path string) ([]*os.File, error) {
	for {
		before, err := look(path)
		if err != nil {
			return nil, err
		}
		files, err := openSlots(path, before)
		if err != nil {
			return nil, err
		}
		after, err := look(path)
		if err == nil && same(before, after) {
			return files, nil
		}
		closeAll(files)
		if err != nil {
			return nil, err
		}
	}
}

// openSlots opens what was seen, oldest first; what has moved on is left out,
// which the next look tells.
func openSlots(path string, slots []slot) ([]*os.File, error) {
	var files []*os.File
	for _, s := range slices.Backward(slots) {
		f, err := os.Open(rotated(path, s.n))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			closeAll(files)
			return nil, fmt.Errorf("open log: %w", err)
		}
		files = append(files, f)
	}
	return files, nil
}

// slot is a file of a log: the n-th predecessor of the current one.
type slot struct {
	n    int
	info fs.FileInfo
}

// look lists the files of a log, newest first. A rotation renames them one
// after another, the oldest first, so that there may be a gap of one; and it may
// happen while we look, so that only two looks that are the same can be trusted.
func look(path string) ([]slot, error) {
	var slots []slot
	for n, missing := 0, 0; missing < 2; n++ {
		info, err := os.Stat(rotated(path, n))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing++
		case err != nil:
			return nil, fmt.Errorf("look at log: %w", err)
		default:
			missing = 0
			slots = append(slots, slot{n, info})
		}
	}
	return slots, nil
}

// same says whether nothing was rotated between two looks.
func same(a, b []slot) bool {
	return slices.EqualFunc(a, b, func(x, y slot) bool { return x.n == y.n && os.SameFile(x.info, y.info) })
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
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
			r.file = f
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
			next.Close()
			return err
		}
		r.file.Close()
		r.file, r.buf = next, r.buf[:0]
	}
}

// successor opens the file that came after the open one, nil while that is the
// current one, or the next is not made yet. When ours is gone already, what is
// left begins with the oldest.
func (r *reader) successor() (*os.File, error) {
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
		i := slices.IndexFunc(before, func(s slot) bool { return os.SameFile(s.info, mine) })
		if i < 0 {
			i = len(before)
		}
		if i == 0 {
			return nil, nil
		}
		f, err := os.Open(rotated(r.path, before[i-1].n))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("open log: %w", err)
		}
		after, err := look(r.path)
		if err == nil && same(before, after) {
			return f, nil
		}
		f.Close()
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
