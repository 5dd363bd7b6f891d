package content

import (
	"context"
	"io"
	"testing"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
)

func TestFollowReadsWhatAnIngestHasGot(t *testing.T) {
	s, done := open(t, t.TempDir())
	defer done()
	ctx := context.Background()
	if _, err := s.Follow("pull"); !errdefs.IsNotFound(err) {
		t.Fatalf("following nothing: %v, want not found", err)
	}
	w, err := s.Writer(ctx, content.WithRef("pull"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := s.Follow("pull")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, part := range []string{"first ", "second"} {
		if _, err := io.WriteString(w, part); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(part))
		if _, err := io.ReadFull(f, got); err != nil || string(got) != part {
			t.Fatalf("read %q, %v; want %q", got, err, part)
		}
	}
	if err := w.Commit(ctx, 0, ""); err != nil {
		t.Fatal(err)
	}
	// The descriptor outlives the ingest.
	whole := make([]byte, 12)
	if _, err := f.ReadAt(whole, 0); err != nil || string(whole) != "first second" {
		t.Fatalf("after the commit: %q, %v", whole, err)
	}
}
