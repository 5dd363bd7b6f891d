package jsonlog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

type object struct {
	Log, Stream, Time string
	Attrs             map[string]string
}

// read returns the objects of a log file; every one must be whole.
func read(t *testing.T, path string) []object {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) > 0 && b[len(b)-1] != '\n' {
		t.Fatalf("the file ends with %q", b[max(0, len(b)-80):])
	}
	var objects []object
	for line := range bytes.Lines(b) {
		var o object
		if err := json.Unmarshal(line, &o); err != nil {
			t.Fatalf("line %d is %q: %v", len(objects)+1, line, err)
		}
		if _, err := time.Parse(time.RFC3339Nano, o.Time); err != nil {
			t.Fatal(err)
		}
		objects = append(objects, o)
	}
	return objects
}

func logs(objects []object) []string {
	var s []string
	for _, o := range objects {
		s = append(s, o.Log)
	}
	return s
}

func open(t *testing.T, opts Options) *Writer {
	t.Helper()
	w, err := Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestLinesAreDockers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	w := open(t, Options{Path: path, Attrs: map[string]string{"tag": "x"}})
	w.Write(Stdout, []byte("one\ntw"))
	w.Write(Stderr, []byte("err\r\n"))
	w.Write(Stdout, []byte("o\n\nrest"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got := read(t, path)
	want := []object{{Log: "one\n", Stream: "stdout"}, {Log: "err\r\n", Stream: "stderr"}, {Log: "two\n", Stream: "stdout"}, {Log: "\n", Stream: "stdout"}, {Log: "rest", Stream: "stdout"}}
	if len(got) != len(want) {
		t.Fatalf("got %+v", got)
	}
	for i, o := range got {
		if o.Log != want[i].Log || o.Stream != want[i].Stream || o.Attrs["tag"] != "x" {
			t.Errorf("object %d is %+v, want %+v", i, o, want[i])
		}
	}
	b, _ := os.ReadFile(path)
	if !bytes.HasPrefix(b, []byte(`{"log":"one\n","stream":"stdout","attrs":{"tag":"x"},"time":"2`)) {
		t.Errorf("members stand in another order than docker's: %.80s", b)
	}
}

// A long line is split at every 16 KiB however it arrives; only its last part ends it,
// and all parts have its time.
func TestLongLineIsSplit(t *testing.T) {
	for _, step := range []int{1000, LineSize, 3*LineSize + 5} {
		path := filepath.Join(t.TempDir(), "log")
		w := open(t, Options{Path: path})
		for rest := []byte(strings.Repeat("x", 2*LineSize) + "\nnext\n"); len(rest) > 0; {
			n := min(step, len(rest))
			w.Write(Stdout, rest[:n])
			rest = rest[n:]
		}
		w.Close()
		got := read(t, path)
		part := strings.Repeat("x", LineSize)
		if fmt.Sprint(logs(got)) != fmt.Sprint([]string{part, part, "\n", "next\n"}) {
			t.Fatalf("step %d: %d objects", step, len(got))
		}
		if got[0].Time != got[2].Time || got[2].Time == got[3].Time {
			t.Errorf("step %d: times are %s %s %s %s", step, got[0].Time, got[1].Time, got[2].Time, got[3].Time)
		}
	}
}

func TestRotation(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "log")
	w := open(t, Options{Path: path, MaxSize: 1000, MaxFiles: 3})
	for i := range 100 {
		w.Write(Stdout, fmt.Appendf(nil, "line %d\n", i))
	}
	w.Close()
	names, _ := filepath.Glob(path + "*")
	if len(names) != 3 {
		t.Fatalf("files are %v", names)
	}
	var all []string
	for _, name := range []string{path + ".2", path + ".1", path} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		// As docker: a file is left once it has reached the size.
		if info.Size() > 1100 || name != path && info.Size() < 1000 {
			t.Errorf("%s has %d bytes", name, info.Size())
		}
		all = append(all, logs(read(t, name))...)
	}
	for i, text := range all {
		if want := fmt.Sprintf("line %d\n", 100-len(all)+i); text != want {
			t.Fatalf("line %d is %q, want %q", i, text, want)
		}
	}
}

// Many lines in one write are rotated like many writes.
func TestRotationWithinOneWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	w := open(t, Options{Path: path, MaxSize: 1000, MaxFiles: 2})
	w.Write(Stdout, bytes.Repeat([]byte("0123456789\n"), 200))
	w.Close()
	for _, name := range []string{path, path + ".1"} {
		if info, err := os.Stat(name); err != nil || info.Size() > 1100 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

func TestOneFileIsEmptied(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	w := open(t, Options{Path: path, MaxSize: 500, MaxFiles: 1})
	for range 100 {
		w.Write(Stdout, []byte("line\n"))
	}
	w.Close()
	if info, err := os.Stat(path); err != nil || info.Size() > 600 || len(read(t, path)) == 0 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestAppendsToWhatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	for _, s := range []string{"a\n", "b\n"} {
		w := open(t, Options{Path: path, MaxSize: 1 << 20, MaxFiles: 2})
		w.Write(Stdout, []byte(s))
		w.Close()
	}
	if got := logs(read(t, path)); fmt.Sprint(got) != fmt.Sprint([]string{"a\n", "b\n"}) {
		t.Errorf("got %q", got)
	}
}

// A full disk costs lines and nothing else; what is missing is counted and told once
// there is space.
func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: mounts a small tmpfs")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 40<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "log")
	w := open(t, Options{Path: path})
	sent := 0
	for ; w.Dropped() < 50; sent++ {
		w.Write(Stdout, fmt.Appendf(nil, "line %d of many\nand %d\n", sent, sent))
	}
	if w.Err() == nil {
		t.Error("no error is told")
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	w.Write(Stderr, []byte("space again\n"))
	if w.Err() != nil {
		t.Errorf("error is still %v", w.Err())
	}
	dropped := w.Dropped()
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	got := logs(read(t, path))
	n := len(got)
	want := fmt.Sprintf("berth: %d lines of output are missing here: no space left on device\n", dropped)
	if got[n-1] != "space again\n" || got[n-2] != want {
		t.Errorf("the log ends with %q", got[n-3:])
	}
	if n-2 != 2*sent-int(dropped) {
		t.Errorf("%d lines are there of %d, %d dropped", n-2, 2*sent, dropped)
	}
}

// A log that never gets space again ends with a whole line.
func TestFullDiskToTheEnd(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: mounts a small tmpfs")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=16k"); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(dir, unix.MNT_DETACH)
	path := filepath.Join(dir, "log")
	w := open(t, Options{Path: path})
	for range 300 {
		w.Write(Stdout, []byte("a line of some length, so that one is cut at the end of the disk\n"))
	}
	w.Close()
	if n := len(read(t, path)) + int(w.Dropped()); n != 300 {
		t.Errorf("%d lines are there or counted, of 300", n)
	}
}

func TestNilWriterTakesAll(t *testing.T) {
	var w *Writer
	w.Write(Stdout, []byte("x\n"))
	w.End(Stdout)
	if w.Dropped() != 0 || w.Err() != nil || w.Close() != nil {
		t.Error("a nil writer has a state")
	}
}
