package logs

import (
	"path/filepath"
	"testing"
)

// BenchmarkRead reads a log of 10,000 lines from its beginning.
func BenchmarkRead(b *testing.B) {
	path := filepath.Join(b.TempDir(), "log")
	write(b, path, lines(0, 10_000))
	for b.Loop() {
		n := 0
		err := Read(b.Context(), path, Options{Stdout: true, Stderr: true, Tail: -1}, nil, func(Entry) error { n++; return nil })
		if err != nil || n != 10_000 {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(float64(b.N)*10_000/b.Elapsed().Seconds(), "lines/s")
}
