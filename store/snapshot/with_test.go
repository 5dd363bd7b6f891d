package snapshot

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/containerd/errdefs"

	"berth/store/meta"
)

// TestChangesTogether pins that what a caller records with a snapshot stands and falls
// with it.
func TestChangesTogether(t *testing.T) {
	o, done := open(t, t.TempDir())
	defer done()
	others, err := meta.NewBucket[string](o.db, "others")
	if err != nil {
		t.Fatal(err)
	}
	put := func(tx *meta.Tx) error { return others.In(tx).Put("a", "1") }
	refused := errors.New("refused")

	err = o.PrepareWith(t.Context(), "a", "", func(tx *meta.Tx) error { return errors.Join(put(tx), refused) })
	if !errors.Is(err, refused) {
		t.Fatalf("error %v", err)
	}
	if _, err := others.Get("a"); !errdefs.IsNotFound(err) {
		t.Errorf("record of a snapshot that was not made: %v", err)
	}
	if _, err := o.Stat(t.Context(), "a"); !errdefs.IsNotFound(err) {
		t.Errorf("snapshot after an error: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(o.root, "snapshots", "*")); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}

	if err := o.PrepareWith(t.Context(), "a", "", put); err != nil {
		t.Fatal(err)
	}
	if v, err := others.Get("a"); err != nil || v != "1" {
		t.Errorf("record %q, %v", v, err)
	}
	if _, err := o.Forget(t.Context(), "a", func(*meta.Tx) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("error %v", err)
	}
	dirs, err := o.Dirs(t.Context(), "a")
	if err != nil {
		t.Fatalf("snapshot after a removal that did not work: %v", err)
	}
	files, err := o.Forget(t.Context(), "a", func(tx *meta.Tx) error { return others.In(tx).Delete("a") })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := others.Get("a"); !errdefs.IsNotFound(err) {
		t.Errorf("record of a snapshot that is gone: %v", err)
	}
	if _, err := os.Stat(dirs.Upper); err != nil {
		t.Errorf("the files are the caller's to remove: %v", err)
	}
	if err := files(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dirs.Upper); !os.IsNotExist(err) {
		t.Errorf("the files after that: %v", err)
	}
}
