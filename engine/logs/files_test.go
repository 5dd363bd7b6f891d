package logs

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"berth/shim/jsonlog"
)

// compressing is a writer whose files are compressed.
func compressing(t *testing.T, path string, size int64, files int) *jsonlog.Writer {
	t.Helper()
	w, err := jsonlog.Open(jsonlog.Options{Path: path, MaxSize: size, MaxFiles: files, Compress: true})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestCompressedFilesAreRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	w := compressing(t, path, 1000, 5)
	for n := range 100 {
		w.Write(jsonlog.Stdout, fmt.Appendf(nil, "line %d\n", n))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for n := 1; n < 5; n++ {
		if _, err := os.Stat(rotated(path, n) + ".gz"); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(rotated(path, n)); err == nil {
			t.Errorf("predecessor %d is there twice", n)
		}
	}
	all := collect(t, path, Options{Stdout: true, Tail: -1})
	if len(all) < 40 || len(all) == 100 || !slices.Equal(all, numbers(100-len(all), 100, 1)) {
		t.Errorf("got %v", all)
	}
	if got := collect(t, path, Options{Stdout: true, Tail: 30}); !slices.Equal(got, numbers(70, 100, 1)) {
		t.Errorf("the tail over files: %v", got)
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "berth-log-*")); len(left) > 0 {
		t.Errorf("unpacked files stay: %v", left)
	}
}

// A reader that falls behind finds its place among files that were compressed meanwhile.
func TestFollowThroughCompression(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	w := compressing(t, path, 600, 100)
	f := start(t.Context(), path, Options{Stdout: true, Stderr: true, Tail: -1})
	for n := range 400 {
		w.Write(jsonlog.Stdout, fmt.Appendf(nil, "line %d\n", n))
		if n%50 == 0 {
			f.expect(t, numbers(max(0, n-49), n+1, 1))
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f.expect(t, numbers(351, 400, 1))
	close(f.done)
	if err := <-f.err; err != nil {
		t.Error(err)
	}
}

func TestABrokenCompressedFileIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	write(t, path, lines(0, 2))
	write(t, path+".1.gz", "no gzip")
	err := Read(t.Context(), path, Options{Stdout: true, Tail: -1}, nil, func(Entry) error { return nil })
	if err == nil {
		t.Error("it is read as if nothing were missing")
	}
}
