package logs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
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

// openAll opens the files of a log, oldest first. A rotation in the middle
// shows as a file seen twice, and the second look is taken.
func openAll(path string) ([]*os.File, error) {
	for {
		var files []*os.File
		var newest []fs.FileInfo
		ok := true
	look:
		for n := 0; ; n++ {
			f, err := os.Open(rotated(path, n))
			if errors.Is(err, fs.ErrNotExist) {
				if n == 0 {
					continue // between two renames, or none yet
				}
				break look
			}
			if err != nil {
				closeAll(files)
				return nil, fmt.Errorf("open log: %w", err)
			}
			info, err := f.Stat()
			if err != nil {
				f.Close()
				closeAll(files)
				return nil, fmt.Errorf("open log: %w", err)
			}
			if len(newest) > 0 && os.SameFile(newest[len(newest)-1], info) {
				ok = false // rotated between the two opens
			}
			files, newest = append([]*os.File{f}, files...), append(newest, info)
		}
		if ok {
			return files, nil
		}
		closeAll(files)
	}
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

// successor opens the file that came after the open one, if it was rotated: the
// oldest of those in whose place it is not any more.
func (r *reader) successor() (*os.File, error) {
	mine, err := r.file.Stat()
	if err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	cur, err := os.Stat(r.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && os.SameFile(mine, cur) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	for n := 1; ; n++ {
		info, err := os.Stat(rotated(r.path, n))
		if err != nil {
			break // ours is gone already: what is left begins with the oldest
		}
		if os.SameFile(info, mine) {
			f, err := os.Open(rotated(r.path, n-1))
			if errors.Is(err, fs.ErrNotExist) {
				return nil, nil // between two renames; the next look finds it
			}
			return f, err
		}
	}
	files, err := openAll(r.path)
	if err != nil || len(files) == 0 {
		return nil, err
	}
	closeAll(files[1:])
	return files[0], nil
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
