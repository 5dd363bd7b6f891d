package engine

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/moby/moby/api/types/volume"
)

// A forced import of a damaged archive changes nothing; one that the engine did not survive is
// completed by the next; nothing is left beside the volumes.
func TestForcedImportIsWhole(t *testing.T) {
	r := newRig(t)
	r.stuffed("vol")
	archive := r.exported("vol")
	made, err := r.Volumes.Create(r.ctx, volume.CreateRequest{Name: "over"})
	if err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(made.Mountpoint, "own")
	if err := os.WriteFile(own, []byte("own"), 0o600); err != nil {
		t.Fatal(err)
	}
	stamp := time.Unix(1000, 0) // what is touched shows
	if err := os.Chtimes(made.Mountpoint, stamp, stamp); err != nil {
		t.Fatal(err)
	}
	before := r.exported("over")
	for _, cut := range []int{len(archive) / 2, len(archive) - 1024 - 700} {
		if _, err := r.Volumes.Import(r.ctx, "over", bytes.NewReader(archive[:cut]), true); err == nil {
			t.Errorf("%d of %d bytes were imported", cut, len(archive))
		}
		if now := r.exported("over"); !bytes.Equal(now, before) {
			t.Errorf("%d of %d bytes have changed the volume", cut, len(archive))
		}
	}
	// As a kill leaves it: whole beside the volume, and half of it unpacked; and not whole.
	stage := filepath.Dir(r.Volumes.dir("over"))
	r.close()
	if err := os.WriteFile(filepath.Join(stage, importPrefix+"over"), archive, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(stage, fillingPrefix+"vol", "tree"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(stage, importPrefix+"gone"), archive, 0o600); err != nil {
		t.Fatal(err)
	}
	r.open()
	if b, err := os.ReadFile(own); err != nil || string(b) != "own" {
		t.Errorf("what was there: %q, %v", b, err)
	}
	if err := os.Remove(own); err != nil {
		t.Fatal(err)
	}
	over, err := r.Volumes.Inspect(r.ctx, "over")
	if err != nil {
		t.Fatal(err)
	}
	r.sameAs(over)
	entries, err := os.ReadDir(stage)
	if err != nil || len(entries) != 2 {
		t.Errorf("left are %v, %v", entries, err)
	}
}
