package logs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var epoch = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// line is the n-th entry as the shim writes it, a second after the one before.
func line(n int, stream string) string {
	return fmt.Sprintf(`{"log":"line %d\n","stream":%q,"time":%q}`+"\n", n, stream, epoch.Add(time.Duration(n)*time.Second).Format(time.RFC3339Nano))
}

func lines(from, to int) string {
	var b strings.Builder
	for n := from; n < to; n++ {
		b.WriteString(line(n, []string{"stdout", "stderr"}[n%2]))
	}
	return b.String()
}

func write(t testing.TB, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func collect(t *testing.T, path string, o Options) []string {
	t.Helper()
	var got []string
	err := Read(t.Context(), path, o, nil, func(e Entry) error {
		got = append(got, strings.TrimSuffix(strings.TrimPrefix(string(e.Line), "line "), "\n"))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func numbers(from, to, step int) []string {
	var out []string
	for n := from; n < to; n += step {
		out = append(out, fmt.Sprint(n))
	}
	return out
}

func TestReadChooses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	// Rotated twice; the file boundaries must not show.
	write(t, path+".2", lines(0, 10))
	write(t, path+".1", lines(10, 20))
	write(t, path, lines(20, 30))
	both := Options{Stdout: true, Stderr: true, Tail: -1}
	at := func(n int) time.Time { return epoch.Add(time.Duration(n) * time.Second) }
	for _, c := range []struct {
		what string
		edit func(*Options)
		want []string
	}{
		{"everything", func(*Options) {}, numbers(0, 30, 1)},
		{"stderr", func(o *Options) { o.Stdout = false }, numbers(1, 30, 2)},
		{"no tail", func(o *Options) { o.Tail = 0 }, nil},
		{"tail in the current file", func(o *Options) { o.Tail = 3 }, numbers(27, 30, 1)},
		{"tail at a boundary", func(o *Options) { o.Tail = 10 }, numbers(20, 30, 1)},
		{"tail over files", func(o *Options) { o.Tail = 15 }, numbers(15, 30, 1)},
		{"tail of one stream", func(o *Options) { o.Tail, o.Stderr = 6, false }, numbers(18, 30, 2)},
		{"tail longer than the log", func(o *Options) { o.Tail = 99 }, numbers(0, 30, 1)},
		{"since", func(o *Options) { o.Since = at(25) }, numbers(25, 30, 1)},
		{"until", func(o *Options) { o.Until = at(3) }, numbers(0, 4, 1)},
		{"window over files", func(o *Options) { o.Since, o.Until = at(8), at(22) }, numbers(8, 23, 1)},
	} {
		o := both
		c.edit(&o)
		if got := collect(t, path, o); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.what, got, c.want)
		}
	}
}

func TestReadMissingTornAndStrange(t *testing.T) {
	dir := t.TempDir()
	if got := collect(t, filepath.Join(dir, "none"), Options{Stdout: true, Tail: -1}); got != nil {
		t.Errorf("a log that does not exist is empty, got %v", got)
	}
	path := filepath.Join(dir, "log")
	write(t, path, line(0, "stdout")+"\x00\x00\x00\n"+`{"log":"cut`+"\n"+line(1, "stdout")+`{"log":"being writt`)
	want := []string{"0", "1"}
	for _, tail := range []int{-1, 2, 5} {
		if got := collect(t, path, Options{Stdout: true, Tail: tail}); !slices.Equal(got, want) {
			t.Errorf("tail %d: got %v, want %v", tail, got, want)
		}
	}
}

func TestDecodeAgreesWithJSON(t *testing.T) {
	for text, want := range map[string]string{
		`{"log":"a\"b\\c\td\r\n","stream":"stdout","time":"2026-01-02T03:04:05.000000001Z"}`:             "a\"b\\c\td\r\n",
		`{"log":"\u003c\u0000é\u2028","stream":"stderr","time":"2026-01-02T03:04:05Z"}`:                  "<\x00é\u2028",
		`{"log":"\ud83d\ude00","stream":"stdout","time":"2026-01-02T03:04:05.5+01:00"}`:                  "😀",
		`{"log":"x","stream":"stdout","attrs":{"a":"}\"","b":"2"},"time":"2026-01-02T03:04:05.123456Z"}`: "x",
		`{"stream":"stdout","time":"2026-01-02T03:04:05Z","log":"other order"}`:                          "other order",
	} {
		var d decoder
		e, ok := d.decode([]byte(text))
		if !ok || string(e.Line) != want {
			t.Errorf("%s: got %q, %v", text, e.Line, ok)
		}
		if e.Time.UTC().Format("2006-01-02T15") != "2026-01-02T03" && e.Time.UTC().Hour() != 2 {
			t.Errorf("%s: time %v", text, e.Time)
		}
	}
	var d decoder
	e, _ := d.decode([]byte(`{"log":"x","stream":"stdout","attrs":{"a":"}\"","b":"2"},"time":"2026-01-02T03:04:05.123456Z"}`))
	if e.Attrs["a"] != `}"` || e.Attrs["b"] != "2" || e.Time.Nanosecond() != 123456000 {
		t.Errorf("attributes %v, time %v", e.Attrs, e.Time)
	}
}

// follow reads in the background and hands the entries over one by one.
type follow struct {
	got  chan string
	err  chan error
	done chan struct{} // closed by the test: the writer has ended
}

func start(ctx context.Context, path string, o Options) *follow {
	f := &follow{got: make(chan string, 10000), err: make(chan error, 1), done: make(chan struct{})}
	o.Follow = true
	go func() {
		f.err <- Read(ctx, path, o, f.done, func(e Entry) error {
			f.got <- strings.TrimSuffix(strings.TrimPrefix(string(e.Line), "line "), "\n")
			return nil
		})
	}()
	return f
}

func (f *follow) expect(t *testing.T, want []string) {
	t.Helper()
	for _, w := range want {
		select {
		case got := <-f.got:
			if got != w {
				t.Fatalf("got %s, want %s", got, w)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("waited for %s in vain", w)
		}
	}
}

func TestFollowEndsWithTheWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	f := start(t.Context(), path, Options{Stdout: true, Stderr: true, Tail: -1})
	write(t, path, lines(0, 5))
	f.expect(t, numbers(0, 5, 1))
	half := line(5, "stdout")
	write(t, path, half[:20])
	write(t, path, half[20:]+lines(6, 8))
	f.expect(t, numbers(5, 8, 1))
	// What is written right before the end must still come.
	write(t, path, lines(8, 100))
	close(f.done)
	f.expect(t, numbers(8, 100, 1))
	if err := <-f.err; err != nil {
		t.Error(err)
	}
}

func TestFollowThroughRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	write(t, path, lines(0, 3))
	f := start(t.Context(), path, Options{Stdout: true, Stderr: true, Tail: 2})
	f.expect(t, numbers(1, 3, 1))
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 20 {
			write(t, path, lines(3+i*10, 13+i*10))
			for n := 30; n > 0; n-- {
				if err := os.Rename(rotated(path, n-1), rotated(path, n)); err != nil && !errors.Is(err, os.ErrNotExist) {
					t.Error(err)
				}
			}
			write(t, path, "")
		}
		close(f.done)
	})
	f.expect(t, numbers(3, 203, 1))
	wg.Wait()
	if err := <-f.err; err != nil {
		t.Error(err)
	}
}

func TestFollowTruncatedInPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	write(t, path, lines(0, 50))
	f := start(t.Context(), path, Options{Stdout: true, Stderr: true, Tail: -1})
	f.expect(t, numbers(0, 50, 1))
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	write(t, path, lines(50, 52))
	f.expect(t, numbers(50, 52, 1))
	close(f.done)
	if err := <-f.err; err != nil {
		t.Error(err)
	}
}

func TestFollowEndsWithItsReaderAndAtUntil(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	write(t, path, lines(0, 1))
	ctx, cancel := context.WithCancel(t.Context())
	f := start(ctx, path, Options{Stdout: true, Tail: -1})
	f.expect(t, []string{"0"})
	cancel()
	if err := <-f.err; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	f = start(t.Context(), path, Options{Stdout: true, Tail: -1, Until: time.Now().Add(50 * time.Millisecond)})
	f.expect(t, []string{"0"})
	if err := <-f.err; err != nil {
		t.Errorf("until: %v", err)
	}
}

func TestTailReadsFromTheEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	// A hole of 8 GiB before the last lines: reading it all would take the test's whole time.
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 8<<30); err != nil {
		t.Fatal(err)
	}
	write(t, path, "\n"+lines(0, 4000))
	if got := collect(t, path, Options{Stdout: true, Stderr: true, Tail: 2500}); !slices.Equal(got, numbers(1500, 4000, 1)) {
		t.Errorf("got %d lines", len(got))
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(strings.TrimSpace(line(1, "stdout"))))
	f.Add([]byte(`{"log":"\u00`))
	f.Add([]byte(`{"log":"x","stream":"stdout","attrs":{`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var d decoder
		d.decode(data) // must not panic
	})
}
