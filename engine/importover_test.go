package engine

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/moby/moby/api/types/volume"
	"golang.org/x/sys/unix"
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

// A forced import that is told to have failed is not completed by the next engine.
func TestForcedImportThatFailed(t *testing.T) {
	r := newRig(t)
	r.stuffed("vol")
	archive := r.exported("vol")
	made, err := r.Volumes.Create(r.ctx, volume.CreateRequest{Name: "over"})
	if err == nil {
		err = os.WriteFile(filepath.Join(made.Mountpoint, "own"), nil, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	before := r.exported("over")
	stage := filepath.Dir(r.Volumes.dir("over"))
	// What was unpacked on the way cannot be removed: it is mounted on.
	tree := filepath.Join(stage, fillingPrefix+"over", "tree")
	mounted := false
	stream := io.MultiReader(bytes.NewReader(archive), readerFunc(func([]byte) (int, error) {
		err := unix.Mount("tmpfs", tree, "tmpfs", 0, "")
		mounted = err == nil
		return 0, cmp.Or(err, io.EOF)
	}))
	_, err = r.Volumes.Import(r.ctx, "over", stream, true)
	if !mounted {
		t.Fatal(err)
	}
	if uerr := unix.Unmount(tree, 0); uerr != nil {
		t.Fatal(uerr)
	}
	if !errors.Is(err, unix.EBUSY) {
		t.Errorf("the import says %v", err)
	}
	r.close()
	r.open()
	if now := r.exported("over"); !bytes.Equal(now, before) {
		t.Error("the next engine imported it")
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }
