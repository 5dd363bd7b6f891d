package snapshot

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"berth/store/meta"
)

func TestSnapshotsAreSpread(t *testing.T) {
	root := t.TempDir()
	var st unix.Statfs_t
	if err := unix.Statfs(root, &st); err != nil {
		t.Fatal(err)
	}
	if st.Type != unix.EXT4_SUPER_MAGIC {
		t.Skip("the directory for temporary files is not on ext4")
	}
	db, err := meta.Open(filepath.Join(root, "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := Open(root, db, Options{}); err != nil {
		t.Fatal(err)
	}
	d, err := os.Open(filepath.Join(root, "snapshots"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if flags, err := unix.IoctlGetInt(int(d.Fd()), unix.FS_IOC_GETFLAGS); err != nil || flags&topdirFlag == 0 {
		t.Errorf("flags of the directory of snapshots: %#x, %v", flags, err)
	}
}

func TestLayerGoesWhereFilesAreMadeQuickly(t *testing.T) {
	const slow = time.Millisecond
	for _, test := range []struct {
		times []time.Duration // of the places in turn; the last one goes on
		place int             // that is taken
		tries int
	}{
		{[]time.Duration{0}, 0, 1},
		{[]time.Duration{slow, slow / 2, slow / 3, quickInode, 0}, 3, 4},
		{[]time.Duration{slow, slow / 2, slow}, 1, places},
		{[]time.Duration{slow}, 0, places},
	} {
		root := t.TempDir()
		if err := os.Mkdir(filepath.Join(root, "snapshots"), 0o700); err != nil {
			t.Fatal(err)
		}
		o, r := &Overlay{root: root}, &record{}
		var tried []string
		err := o.place(r, func(dir string) time.Duration {
			tried = append(tried, filepath.Base(dir))
			return test.times[min(len(tried), len(test.times))-1]
		})
		if err != nil || len(tried) != test.tries || r.Dir != tried[test.place] {
			t.Errorf("of %v the layer goes to %q of %q: %v", test.times, r.Dir, tried, err)
		}
		if left, err := os.ReadDir(filepath.Join(root, "snapshots")); err != nil || len(left) != 1 || left[0].Name() != r.Dir {
			t.Errorf("of %v there is left %v, %v", test.times, left, err)
		}
	}
}
