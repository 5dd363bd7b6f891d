package jsonlog

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// gate is a copy that takes no line before it is opened.
type gate struct {
	open  chan struct{}
	began chan struct{} // gets a token when a line waits
	texts []string
}

func (g *gate) Line(_ Stream, text []byte, _ bool, _ time.Time) error {
	select {
	case g.began <- struct{}{}:
	default:
	}
	<-g.open
	g.texts = append(g.texts, string(text))
	return nil
}

func (g *gate) Close() error { return nil }

func TestRingDropsWhatHasNoRoomAndCounts(t *testing.T) {
	g := &gate{open: make(chan struct{}), began: make(chan struct{}, 1)}
	r := NewRing(open(t, Options{Copy: g}), 20)
	r.Write(Stdout, []byte("first of all lines, too long for the queue\n"))
	<-g.began
	// The writer is stuck in the first line, which still counts.
	r.Write(Stdout, []byte("second\nthird\n"))
	if n := r.Dropped(); n != 2 {
		t.Errorf("%d lines are dropped", n)
	}
	if _, ok := r.State(); ok {
		t.Error("what is queued could be handed over")
	}
	close(g.open)
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, ok := r.State(); ok {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the queue does not empty")
		}
	}
	r.Write(Stdout, []byte("fourth\n"))
	r.Write(Stdout, []byte("fifth"))
	r.End(Stdout)
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if got := strings.Join(g.texts, "|"); got != "first of all lines, too long for the queue|fourth|fifth" {
		t.Errorf("got %s", got)
	}
	if n := r.Dropped(); n != 2 {
		t.Errorf("%d lines are dropped", n)
	}
}

func TestRingWritesAllBeforeItsEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	r := NewRing(open(t, Options{Path: path}), 1<<20)
	for i := range 1000 {
		r.Write(Stdout, fmt.Appendf(nil, "%d\n", i))
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, path); len(got) != 1000 || got[999].Log != "999\n" {
		t.Errorf("%d lines", len(got))
	}
}

// A compression that a kill interrupted leaves both forms; rotation goes on.
func TestRotationAfterAnInterruptedCompression(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	opts := Options{Path: path, MaxSize: 200, MaxFiles: 3, Compress: true}
	w := open(t, opts)
	w.Write(Stdout, []byte(strings.Repeat("line\n", 20)))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	plain := open(t, Options{Path: path + ".1"})
	plain.Write(Stdout, []byte("the same\n"))
	plain.Close()
	w = open(t, opts)
	w.Write(Stdout, []byte(strings.Repeat("line\n", 20)))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	names, _ := filepath.Glob(path + "*")
	if got := fmt.Sprint(len(names)); got != "3" {
		t.Errorf("files %v", names)
	}
}
