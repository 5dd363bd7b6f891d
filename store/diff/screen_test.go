package diff

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// TestFirstScreenOfAMillion pins what the first screen of a layer of a million
// entries costs, by the bytes that are read and allocated: of the layer itself
// only the table of its index, and a block for each name that is shown.
func TestFirstScreenOfAMillion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "index")
	const dirs, each = 1000, 1000
	must(t, writeIndexFile(path, func(w *indexWriter) error {
		err := w.add(&Entry{Path: "/", Type: TypeDir})
		for d := range dirs {
			dir := fmt.Sprintf("/d%03d", d)
			if err == nil {
				err = w.add(&Entry{Path: dir, Type: TypeDir, Mode: 0o755})
			}
			for f := 0; f < each-1 && err == nil; f++ {
				err = w.add(&Entry{Path: fmt.Sprintf("%s/f%03d", dir, f), Type: TypeRegular, Mode: 0o644, Size: 1000, Digest: noDigest})
			}
		}
		return err
	}))
	fi, err := os.Stat(path)
	must(t, err)
	const screen = 100
	for _, o := range []MergeOptions{
		{Dir: "/", Depth: 1},
		{Dir: "/d500", Depth: 1},
		{Dir: "/d500", Depth: 1, After: "/d500/f800"},
	} {
		before, allocated := bytesRead(t), bytesAllocated()
		x, err := OpenIndex(path)
		must(t, err)
		shown := 0
		for e, err := range MergePart([]*Index{x}, o) {
			must(t, err)
			if !Within(e.Path, o.Dir) {
				t.Fatalf("%+v shows %s", o, e.Path)
			}
			if shown++; shown == screen {
				break
			}
		}
		must(t, x.Close())
		read, allocated := bytesRead(t)-before, bytesAllocated()-allocated
		if shown != screen {
			t.Errorf("%+v shows %d entries", o, shown)
		}
		if most := fi.Size() / 20; read > most {
			t.Errorf("%+v reads %d bytes of an index of %d", o, read, fi.Size())
		}
		if allocated > 10<<20 {
			t.Errorf("%+v allocates %d bytes", o, allocated)
		}
		t.Logf("%+v: %d of %d bytes read, %d allocated", o, read, fi.Size(), allocated)
	}
}

// bytesRead is what this process has read from files so far.
func bytesRead(t *testing.T) (n int64) {
	t.Helper()
	data, err := os.ReadFile("/proc/self/io")
	if err == nil {
		_, err = fmt.Sscanf(string(data), "rchar: %d", &n)
	}
	if err != nil {
		t.Skip("this kernel does not count what a process reads:", err)
	}
	return n
}

func bytesAllocated() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.TotalAlloc)
}
