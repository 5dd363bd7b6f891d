package container

import (
	"context"
	"testing"
)

// BenchmarkRun is create, start, wait and delete of a command that does nothing.
func BenchmarkRun(b *testing.B) {
	f := newFixture(b, "true")
	for b.Loop() {
		c, err := Create(context.Background(), f.opts)
		if err != nil {
			b.Fatal(err)
		}
		if err := c.Start(); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Init().Wait(); err != nil {
			b.Fatal(err)
		}
		if err := c.Delete(false); err != nil {
			b.Fatal(err)
		}
	}
}
