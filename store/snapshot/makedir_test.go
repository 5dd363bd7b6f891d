package snapshot

import (
	"os"
	"path/filepath"
	"testing"

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
