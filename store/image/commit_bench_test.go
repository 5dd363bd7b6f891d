package image_test

import (
	"fmt"
	"os"
	"testing"

	"berth/store/image"
)

// BenchmarkCommit commits a writable layer of 20,000 small files.
func BenchmarkCommit(b *testing.B) {
	st := open(b, b.TempDir())
	ctx := b.Context()
	if _, err := st.Snapshots.Prepare(ctx, "c", ""); err != nil {
		b.Fatal(err)
	}
	dirs, err := st.Snapshots.Dirs(ctx, "c")
	if err != nil {
		b.Fatal(err)
	}
	for d := range 200 {
		dir := fmt.Sprintf("%s/%d", dirs.Upper, d)
		if err := os.Mkdir(dir, 0o755); err != nil {
			b.Fatal(err)
		}
		for f := range 100 {
			if err := os.WriteFile(fmt.Sprintf("%s/%d", dir, f), []byte("some content"), 0o644); err != nil {
				b.Fatal(err)
			}
		}
	}
	for i := 0; b.Loop(); i++ {
		// Another layer each time, or it is there already.
		if err := os.WriteFile(dirs.Upper+"/round", fmt.Append(nil, i), 0o644); err != nil {
			b.Fatal(err)
		}
		if _, err := st.Images.CommitSnapshot(ctx, "c", image.CommitOptions{}, image.NewImage{}); err != nil {
			b.Fatal(err)
		}
	}
}
