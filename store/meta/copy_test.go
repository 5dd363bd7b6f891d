package meta

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
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

// Whatever page is damaged, and however: an error that names the file, or a database that can be read.
func TestOpenCopyOfADamagedDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "meta.db")
	db := open(t, path)
	records := bucket[rec](t, db, "records")
	for i := range 400 {
		if err := records.Put(fmt.Sprint("key", i), rec{strings.Repeat("n", i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	page := os.Getpagesize()
	random := rand.New(rand.NewPCG(1, 2))
	for at := 2 * page; at+page <= len(whole); at += page {
		for how, damage := range map[string]func([]byte){
			"zeros":   func(p []byte) { clear(p) },
			"ones":    func(p []byte) { copy(p, bytes.Repeat([]byte{0xff}, len(p))) },
			"a count": func(p []byte) { p[10], p[11] = 0xff, 0x7f },
			"lengths": func(p []byte) { copy(p[16:], bytes.Repeat([]byte{0x7f}, 16)) },
			"bytes": func(p []byte) {
				for range 40 {
					p[random.IntN(len(p))] = byte(random.Uint32())
				}
			},
			"another": func(p []byte) { copy(p, whole[page*(2+random.IntN(3)):][:page]) },
		} {
			bad := bytes.Clone(whole)
			damage(bad[at:][:page])
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			c, err := OpenCopy(path)
			if err != nil {
				if refused++; !strings.Contains(err.Error(), path) {
					t.Errorf("%s in page %d: %v", how, at/page, err)
				}
				continue
			}
			_ = bucket[rec](t, c, "records").ForEach(func(string, rec) error { return nil })
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if refused == 0 {
		t.Error("nothing was refused")
	}
}
