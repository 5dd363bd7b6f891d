package logs

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"berth/shim/jsonlog"

	"golang.org/x/sys/unix"
)

// slot is a file of a log: the n-th predecessor of the current one.
type slot struct {
	n      int
	path   string
	info   fs.FileInfo
	packed bool   // it is compressed
	origin string // what a compressed file was made from
}

// rotated is the name of the n-th predecessor; 0 is the current file.
func rotated(path string, n int) string {
	if n == 0 {
		return path
	}
	return path + "." + strconv.Itoa(n)
}

// look lists the files of a log, newest first. A rotation renames them one
// after another, the oldest first, so that there may be a gap of one; and it may
// happen while we look, so that only two looks that are the same can be trusted.
func look(path string) ([]slot, error) {
	var slots []slot
	for n, missing := 0, 0; missing < 2; n++ {
		s, err := lookAt(path, n)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing++
		case err != nil:
			return nil, fmt.Errorf("look at log: %w", err)
		default:
			missing = 0
			slots = append(slots, s)
		}
	}
	return slots, nil
}

// lookAt looks at one predecessor. The plain form goes once the compressed one is
// there, so it is looked for first.
func lookAt(path string, n int) (slot, error) {
	name := rotated(path, n)
	info, err := os.Stat(name)
	if err == nil || n == 0 || !errors.Is(err, fs.ErrNotExist) {
		return slot{n: n, path: name, info: info}, err
	}
	name += jsonlog.Compressed
	f, err := os.Open(name)
	if err != nil {
		return slot{}, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return slot{}, err
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		return slot{}, fmt.Errorf("%s: %w", name, err)
	}
	return slot{n: n, path: name, info: info, packed: true, origin: z.Comment}, nil
}

// holds says whether the slot has the file that is open: mine, or, with an
// origin, what mine was unpacked from.
func (s slot) holds(mine fs.FileInfo, origin string) bool {
	switch {
	case !s.packed:
		return origin == "" && os.SameFile(s.info, mine)
	case origin != "":
		return s.origin == origin
	}
	stat := mine.Sys().(*syscall.Stat_t)
	return s.origin == jsonlog.Origin(&unix.Stat_t{Ino: stat.Ino, Mtim: unix.Timespec(stat.Mtim)})
}

// open opens the slot's file; NotExist if it has moved on.
func (s slot) open() (*source, error) {
	f, err := os.Open(s.path)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return &source{file: f, origin: s.origin, packed: s.packed}, nil
}

// same says whether nothing was rotated between two looks.
func same(a, b []slot) bool {
	return slices.EqualFunc(a, b, func(x, y slot) bool {
		return x.n == y.n && x.origin == y.origin && os.SameFile(x.info, y.info)
	})
}

// source is an open file of a log.
type source struct {
	file   *os.File
	origin string // see slot
	packed bool   // it is compressed still
}

// unpack makes the file one that can be read at any place: what is compressed goes to
// a nameless file, once. That is beside the log, where there is room for logs: the
// directory for temporary files may be in memory.
func (s *source) unpack() error {
	if !s.packed {
		return nil
	}
	plain, err := os.CreateTemp(filepath.Dir(s.file.Name()), ".unpacked-")
	if err != nil {
		return fmt.Errorf("unpack log: %w", err)
	}
	err = os.Remove(plain.Name())
	if err == nil {
		err = gunzip(plain, s.file)
	}
	if err != nil {
		plain.Close()
		return fmt.Errorf("unpack log %s: %w", s.file.Name(), err)
	}
	s.file.Close()
	s.file, s.packed = plain, false
	return nil
}

// gunzip leaves to at its beginning.
func gunzip(to, from *os.File) error {
	z, err := gzip.NewReader(from)
	if err != nil {
		return err
	}
	if _, err := io.Copy(to, z); err != nil {
		return err
	}
	_, err = to.Seek(0, io.SeekStart)
	return err
}

func (s *source) close() { s.file.Close() }

// openAll opens the files of a log, oldest first.
func openAll(path string) ([]*source, error) {
	for {
		before, err := look(path)
		if err != nil {
			return nil, err
		}
		files, err := openSlots(before)
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
func openSlots(slots []slot) ([]*source, error) {
	var files []*source
	for _, s := range slices.Backward(slots) {
		f, err := s.open()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			closeAll(files)
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

func closeAll(files []*source) {
	for _, f := range files {
		f.close()
	}
}
