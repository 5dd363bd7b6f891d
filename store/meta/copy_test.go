package meta

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// A copy of a database that is written to all the time is one state of it, and
// changes nothing.
func TestOpenCopyWhileItIsWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "meta.db")
	db, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	b, err := NewBucket[int](db, "numbers")
	if err != nil {
		t.Fatal(err)
	}
	// Every change gives all records one number.
	set := func(n int) error {
		return b.Change(func(b TxBucket[int]) error {
			var errs []error
			for i := range 200 {
				errs = append(errs, b.Put(fmt.Sprintf("%0100d", i), n))
			}
			return errors.Join(errs...)
		})
	}
	if err := set(0); err != nil {
		t.Fatal(err)
	}
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		for n := 1; ; n++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			if err := set(n); err != nil {
				done <- err
				return
			}
		}
	}()
	for range 30 {
		c, err := OpenCopy(path)
		if err != nil {
			t.Fatal(err)
		}
		copied, err := NewBucket[int](c, "numbers")
		if err != nil {
			t.Fatal(err)
		}
		count, first := 0, -1
		if err := copied.ForEach(func(key string, n int) error {
			if first < 0 {
				first = n
			}
			if n != first {
				return fmt.Errorf("%s is %d, the first %d", key, n, first)
			}
			count++
			return nil
		}); err != nil || count != 200 {
			t.Fatalf("%d records: %v", count, err)
		}
		if err := errors.Join(copied.Put("own", 1), c.Close()); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if _, err := b.Get("own"); err == nil {
		t.Error("what was written to a copy is in the database")
	}
}

func TestOpenCopyOfWhatIsNone(t *testing.T) {
	if _, err := OpenCopy(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	path := filepath.Join(t.TempDir(), "bad")
	if err := os.WriteFile(path, make([]byte, 100000), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenCopy(path); err == nil {
		t.Error("zeros were taken for a database")
	}
}
