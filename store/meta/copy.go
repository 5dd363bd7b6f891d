package meta

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strconv"

	"github.com/containerd/errdefs"
	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"
)

// copyTries is how often a copy is begun anew because the database was changed.
const copyTries = 50

// heads is the length of the two pages with which the file begins. They name the
// last two states of the database, and the later one that is whole counts.
var heads = 2 * os.Getpagesize()

// OpenCopy opens a copy, in memory, of the database file at path, which another
// process may have open and be changing. What is written to it is lost.
//
// The copy is one state of the database: a change writes to pages that the state
// before it does not use, and only then, in one of the first two pages, that they
// count. If those are the same before and after copying, all that they name was
// copied as it is.
func OpenCopy(path string) (*DB, error) {
	from, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("copy database: %w", err)
	}
	defer from.Close()
	fd, err := unix.MemfdCreate("meta.db", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("copy database: %w", err)
	}
	to := os.NewFile(uintptr(fd), "meta.db")
	defer to.Close() // the database opens it by itself
	for range copyTries {
		same, err := copyState(from, to)
		if err != nil {
			return nil, fmt.Errorf("copy database %s: %w", path, err)
		}
		if !same {
			continue
		}
		b, err := openWhole("/proc/self/fd/" + strconv.Itoa(fd))
		if err != nil {
			return nil, fmt.Errorf("open the copy of database %s: %w", path, err)
		}
		return &DB{bolt: b}, nil
	}
	return nil, fmt.Errorf("copy database %s: it changes all the time: %w", path, errdefs.ErrUnavailable)
}

// copyState copies the file, and tells whether it was one state throughout.
func copyState(from, to *os.File) (same bool, err error) {
	before, after := make([]byte, heads), make([]byte, heads)
	if _, err := from.ReadAt(before, 0); err != nil && err != io.EOF {
		return false, err
	}
	if err := to.Truncate(0); err != nil {
		return false, err
	}
	info, err := from.Stat()
	if err != nil {
		return false, err
	}
	if _, err := to.Seek(0, io.SeekStart); err != nil {
		return false, err
	}
	if _, err := io.Copy(to, io.NewSectionReader(from, 0, info.Size())); err != nil {
		return false, err
	}
	if _, err := from.ReadAt(after, 0); err != nil && err != io.EOF {
		return false, err
	}
	return bytes.Equal(before, after), nil
}

// openWhole opens the database file at path if all of it can be read. Where a page is
// damaged bbolt panics, and it does so in a goroutine of its own when it opens a file
// for writing: so all is read here first.
func openWhole(path string) (b *bbolt.DB, err error) {
	// A damaged page names others that are outside of the file.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			b, err = nil, fmt.Errorf("the database is damaged: %v: %w", p, errdefs.ErrDataLoss)
		}
	}()
	if b, err = bbolt.Open(path, 0, &bbolt.Options{ReadOnly: true}); err != nil {
		return nil, err
	}
	err = b.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(_ []byte, in *bbolt.Bucket) error { return readAll(in) })
	})
	if err := errors.Join(err, b.Close()); err != nil {
		return nil, err
	}
	return bbolt.Open(path, 0, &bbolt.Options{FreelistType: bbolt.FreelistMapType, NoSync: true, NoFreelistSync: true})
}

// readAll reads every key and value of a bucket.
func readAll(in *bbolt.Bucket) error {
	return in.ForEach(func(k, v []byte) error {
		if v == nil {
			return readAll(in.Bucket(k))
		}
		// To its end, for that is what can be outside.
		if len(k) == 0 || !json.Valid(v) {
			return fmt.Errorf("the database is damaged: the value of %q is no record: %w", k, errdefs.ErrDataLoss)
		}
		return nil
	})
}
