package snapshot

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/containerd/v2/core/snapshots/testsuite"
	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"berth/store/meta"
)

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("mounting overlay needs root")
	}
}

func open(t *testing.T, root string) (*Overlay, func()) {
	t.Helper()
	db, err := meta.Open(filepath.Join(root, "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	o, err := Open(root, db, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return o, func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestContainerdSuite holds Overlay to containerd's own contract. The name
// tells the suite that directories of lower layers cannot be renamed.
func TestContainerdSuite(t *testing.T) {
	needRoot(t)
	testsuite.SnapshotterSuite(t, "overlayfs", func(_ context.Context, root string) (snapshots.Snapshotter, func() error, error) {
		db, err := meta.Open(filepath.Join(root, "meta.db"))
		if err != nil {
			return nil, nil, err
		}
		o, err := Open(root, db, Options{})
		return o, db.Close, err
	})
}

func prepare(t *testing.T, o *Overlay, key, parent string) Dirs {
	t.Helper()
	if _, err := o.Prepare(t.Context(), key, parent); err != nil {
		t.Fatal(err)
	}
	d, err := o.Dirs(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func commit(t *testing.T, o *Overlay, name, key string, opts ...snapshots.Opt) {
	t.Helper()
	if err := o.Commit(t.Context(), name, key, opts...); err != nil {
		t.Fatal(err)
	}
}

func TestOpenRemovesWhatHasNoRecord(t *testing.T) {
	root := t.TempDir()
	o, closeDB := open(t, root)
	d := prepare(t, o, "a", "")
	if err := os.WriteFile(filepath.Join(d.Upper, "f"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	commit(t, o, "A", "a")
	stray := filepath.Join(root, "snapshots", "77", "fs")
	if err := os.MkdirAll(stray, 0o755); err != nil {
		t.Fatal(err)
	}
	closeDB()

	o, closeDB = open(t, root)
	defer closeDB()
	if _, err := os.Stat(filepath.Dir(stray)); !os.IsNotExist(err) {
		t.Errorf("directory without record is still there: %v", err)
	}
	d, err := o.Dirs(t.Context(), "A")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(d.Upper, "f")); err != nil || string(b) != "x" {
		t.Errorf("committed file: %q, %v", b, err)
	}
	// Children are counted again after a reopen.
	prepare(t, o, "b", "A")
	if err := o.Remove(t.Context(), "A"); !errdefs.IsFailedPrecondition(err) {
		t.Errorf("remove of a parent: %v", err)
	}
}

func TestMountsSayWhatTheDiffRestsOn(t *testing.T) {
	o, closeDB := open(t, t.TempDir())
	defer closeDB()
	a := prepare(t, o, "a", "")
	commit(t, o, "A", "a")
	b := prepare(t, o, "b", "A")
	commit(t, o, "B", "b")
	m, err := o.Prepare(t.Context(), "c", "B")
	if err != nil {
		t.Fatal(err)
	}
	if len(m) != 1 || m[0].Type != "overlay" {
		t.Fatalf("mounts %+v", m)
	}
	opts := strings.Join(m[0].Options, ",")
	for _, want := range []string{"redirect_dir=off", "metacopy=off", "lowerdir=" + b.Upper + ":" + a.Upper} {
		if !strings.Contains(opts, want) {
			t.Errorf("options %s lack %s", opts, want)
		}
	}
	d, err := o.Dirs(t.Context(), "c")
	if err != nil || len(d.Lower) != 2 || d.Lower[0] != b.Upper || d.Work == "" || !strings.Contains(opts, "workdir="+d.Work) {
		t.Errorf("dirs %+v, %v", d, err)
	}
}

func TestRootAttributesAreInherited(t *testing.T) {
	needRoot(t)
	o, closeDB := open(t, t.TempDir())
	defer closeDB()
	d := prepare(t, o, "a", "")
	if err := os.Chown(d.Upper, 7, 8); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(d.Upper, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	commit(t, o, "A", "a")
	fi, err := os.Stat(prepare(t, o, "b", "A").Upper)
	if err != nil || fi.Mode() != 0o777|os.ModeSticky|os.ModeDir {
		t.Errorf("mode of the child's root: %v, %v", fi.Mode(), err)
	}
}

func TestCommitWithParentChainsLayers(t *testing.T) {
	o, closeDB := open(t, t.TempDir())
	defer closeDB()
	prepare(t, o, "b", "") // filled before its parent exists
	prepare(t, o, "a", "")
	if err := o.Commit(t.Context(), "B", "b", snapshots.WithParent("A")); !errdefs.IsNotFound(err) {
		t.Errorf("commit on a missing parent: %v", err)
	}
	commit(t, o, "A", "a")
	commit(t, o, "B", "b", snapshots.WithParent("A"))
	info, err := o.Stat(t.Context(), "B")
	if err != nil || info.Parent != "A" {
		t.Fatalf("%+v, %v", info, err)
	}
	if err := o.Remove(t.Context(), "A"); !errdefs.IsFailedPrecondition(err) {
		t.Errorf("remove of a parent given at commit: %v", err)
	}
}

func TestUsageCountsHardLinksOnce(t *testing.T) {
	o, closeDB := open(t, t.TempDir())
	defer closeDB()
	d := prepare(t, o, "a", "")
	f := filepath.Join(d.Upper, "f")
	if err := os.WriteFile(f, make([]byte, 1<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(f, f+"2"); err != nil {
		t.Fatal(err)
	}
	commit(t, o, "A", "a")
	for range 2 { // found out, then remembered
		u, err := o.Usage(t.Context(), "A")
		if err != nil || u.Inodes != 2 || u.Size < 1<<20 || u.Size > 1<<20+64<<10 {
			t.Fatalf("usage %+v, %v", u, err)
		}
	}
}

// TestUsageOfADeepTree has a tree whose last directory no path can name.
func TestUsageOfADeepTree(t *testing.T) {
	o, closeDB := open(t, t.TempDir())
	defer closeDB()
	d := prepare(t, o, "a", "")
	name := strings.Repeat("d", 200)
	at, err := unix.Open(d.Upper, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	for i := 0; i < 30 && err == nil; i++ {
		err = unix.Mkdirat(at, name, 0o700)
		next := -1
		if err == nil {
			next, err = unix.Openat(at, name, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		}
		unix.Close(at)
		at = next
	}
	unix.Close(at)
	if err != nil {
		t.Fatal(err)
	}
	if u, err := o.Usage(t.Context(), "a"); err != nil || u.Inodes != 31 {
		t.Errorf("usage %+v, %v", u, err)
	}
	if err := o.Remove(t.Context(), "a"); err != nil {
		t.Error(err)
	}
}

// BenchmarkContainer is what a container's life costs the snapshotter.
func BenchmarkContainer(b *testing.B) {
	root := b.TempDir()
	db, err := meta.Open(filepath.Join(root, "meta.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	o, err := Open(root, db, Options{})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := o.Prepare(b.Context(), "a", ""); err != nil {
		b.Fatal(err)
	}
	if err := o.Commit(b.Context(), "A", "a"); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := o.Prepare(b.Context(), "c", "A"); err != nil {
			b.Fatal(err)
		}
		if err := o.Remove(b.Context(), "c"); err != nil {
			b.Fatal(err)
		}
	}
}
