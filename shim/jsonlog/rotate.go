package jsonlog

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Compressed is what the name of a compressed predecessor ends in (path.1.gz).
const Compressed = ".gz"

// rotate makes room: path becomes path.1, that path.2, and so on. A failure leaves the
// current file in use.
func (w *Writer) rotate() {
	if w.f == nil || len(w.rest) > 0 {
		return
	}
	if w.opts.MaxFiles < 2 {
		if err := w.f.Truncate(0); err != nil {
			w.err = err
			return
		}
		w.size = 0
		return
	}
	// One that was not compressed, for want of room say, stays as it is.
	if err := w.compressed(); err != nil {
		w.err = err
	}
	if err := w.shift(); err != nil {
		w.err = err
		return
	}
	w.f.Close() // nothing is buffered in it
	w.f = nil
	if err := w.open(0); err != nil {
		w.err = err
	}
	if w.opts.Compress {
		done := make(chan error, 1)
		w.compressing = done
		go func() {
			done <- compress(w.opts.Path + ".1")
			if w.opts.Compressed != nil {
				w.opts.Compressed()
			}
		}()
	}
}

// shift gives every file the name of the next older one.
func (w *Writer) shift() error {
	name := func(i int) string { return w.opts.Path + "." + strconv.Itoa(i) }
	move := func(from, to string) error {
		if err := os.Rename(from, to); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	for i := w.opts.MaxFiles - 1; i > 1; i-- {
		// Both forms: the compression of one may have been interrupted.
		for _, form := range []string{"", Compressed} {
			if err := os.Remove(name(i) + form); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			if err := move(name(i-1)+form, name(i)+form); err != nil {
				return err
			}
		}
	}
	if err := os.Remove(name(1) + Compressed); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return move(w.opts.Path, name(1))
}

// compresses says whether a compression is under way.
func (w *Writer) compresses() bool { return w.compressing != nil && len(w.compressing) == 0 }

// compressed waits for the compression under way and returns its error.
func (w *Writer) compressed() error {
	if w.compressing == nil {
		return nil
	}
	err := <-w.compressing
	w.compressing = nil
	return err
}

// Origin tells a file from every other that a log has had. A compressed file has the
// origin of what it was made from as its comment, by which a reader that has the plain
// one open finds where it is.
func Origin(s *unix.Stat_t) string {
	return strconv.FormatUint(s.Ino, 10) + " " + strconv.FormatInt(s.Mtim.Nano(), 10)
}

// compress replaces the file at path by path.gz. Both are there for a moment, of which
// readers take the plain one.
func compress(path string) (err error) {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	var stat unix.Stat_t
	if err := unix.Fstat(int(in.Fd()), &stat); err != nil {
		return err
	}
	unfinished := path + Compressed + ".new"
	out, err := os.OpenFile(unfinished, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			out.Close()
			os.Remove(unfinished)
		}
	}()
	buffered := bufio.NewWriterSize(out, 32<<10)
	z, err := gzip.NewWriterLevel(buffered, gzip.BestSpeed)
	if err != nil {
		return err
	}
	z.Comment = Origin(&stat)
	if _, err = io.Copy(z, in); err != nil {
		return err
	}
	// The only copy from here on, so it has to be on the disk.
	if err = errors.Join(z.Close(), buffered.Flush(), out.Sync(), out.Close()); err != nil {
		return err
	}
	if err = os.Rename(unfinished, path+Compressed); err != nil {
		return err
	}
	return os.Remove(path)
}
