package snapshot

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/containerd/v2/core/snapshots/testsuite"
	"github.com/containerd/errdefs"

	"berth/store/meta"
)

// openCopy opens snapshots that are copies.
func openCopy(t *testing.T, root string) *Overlay {
	t.Helper()
	db, err := meta.Open(filepath.Join(root, "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	o, err := Open(root, db, Options{Driver: CopyDriver})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// TestContainerdSuiteOnCopies holds the other driver to the same contract.
func TestContainerdSuiteOnCopies(t *testing.T) {
	needRoot(t)
	testsuite.SnapshotterSuite(t, "copy", func(_ context.Context, root string) (snapshots.Snapshotter, func() error, error) {
		db, err := meta.Open(filepath.Join(root, "meta.db"))
		if err != nil {
			return nil, nil, err
		}
		o, err := Open(root, db, Options{Driver: CopyDriver})
		return o, db.Close, err
	})
}

func put(t *testing.T, path, data string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestACopyBecomesALayer(t *testing.T) {
	needRoot(t)
	root := t.TempDir()
	o := openCopy(t, root)
	low := prepare(t, o, "low", "")
	put(t, low.Upper+"/d/one", "1")
	put(t, low.Upper+"/d/two", "2")
	commit(t, o, "low!", "low")

	d := prepare(t, o, "work", "low!")
	if len(d.Lower) != 0 {
		t.Errorf("a copy stands on %v", d.Lower)
	}
	put(t, d.Upper+"/d/two", "II")
	put(t, d.Upper+"/new", "n")
	if err := os.Remove(d.Upper + "/d/one"); err != nil {
		t.Fatal(err)
	}
	if strays, err := o.Strays(true); err != nil || len(strays) != 0 {
		t.Errorf("strays %v, %v", strays, err)
	}
	delta, done, err := o.Delta(t.Context(), "work")
	if err != nil || len(delta.Lower) != 1 {
		t.Fatalf("delta %+v, %v", delta, err)
	}
	names, err := filepath.Glob(delta.Upper + "/*/*")
	if err != nil || len(names) != 2 {
		t.Errorf("the delta has %v", names)
	}
	done()
	if _, err := os.Stat(delta.Upper); !os.IsNotExist(err) {
		t.Errorf("the delta after use: %v", err)
	}

	commit(t, o, "top!", "work")
	dirs, err := o.Dirs(t.Context(), "top!")
	if err != nil || len(dirs.Lower) != 1 {
		t.Fatalf("layer %+v, %v", dirs, err)
	}
	if left, _ := filepath.Glob(filepath.Join(root, "snapshots", "*")); len(left) != 2 {
		t.Errorf("left on disk: %v", left)
	}
	if err := o.Remove(t.Context(), "work"); !errdefs.IsNotFound(err) {
		t.Errorf("the copy after commit: %v", err)
	}
	again := prepare(t, o, "again", "top!")
	if data, err := os.ReadFile(again.Upper + "/d/two"); string(data) != "II" || err != nil {
		t.Errorf("a copy of both layers has %q, %v", data, err)
	}
	if _, err := os.Stat(again.Upper + "/d/one"); !os.IsNotExist(err) {
		t.Errorf("what was deleted: %v", err)
	}
}

func TestAFailedCopyLeavesNothing(t *testing.T) {
	needRoot(t)
	root := t.TempDir()
	o := openCopy(t, root)
	low := prepare(t, o, "low", "")
	put(t, low.Upper+"/d/one", "1")
	commit(t, o, "low!", "low")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := o.Prepare(ctx, "work", "low!"); err == nil {
		t.Error("a cancelled copy was made")
	}
	if _, err := o.Prepare(t.Context(), "work", "absent"); !errdefs.IsNotFound(err) {
		t.Errorf("a copy of nothing: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(root, "snapshots", "*")); len(left) != 1 || len(o.leaving) != 0 {
		t.Errorf("left on disk: %v, in memory: %v", left, o.leaving)
	}
}

func TestDriverIsChosen(t *testing.T) {
	needRoot(t)
	db, err := meta.Open(filepath.Join(t.TempDir(), "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, tc := range []struct{ ask, want string }{{"", OverlayDriver}, {OverlayDriver, OverlayDriver}, {CopyDriver, CopyDriver}} {
		o, err := Open(t.TempDir(), db, Options{Driver: tc.ask})
		if err != nil {
			t.Fatal(err)
		}
		if got, reason := o.Driver(); got != tc.want || (reason == nil) != (tc.ask == "") {
			t.Errorf("asked for %q: %q, %v", tc.ask, got, reason)
		}
	}
	if _, err := Open(t.TempDir(), db, Options{Driver: "zfs"}); !errdefs.IsInvalidArgument(err) {
		t.Errorf("an unknown driver: %v", err)
	}
}
