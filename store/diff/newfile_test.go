package diff

import (
	"archive/tar"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFilesAreAsTheirHeadersSay unpacks where a new file is made with another
// mode or group than it was asked for.
func TestFilesAreAsTheirHeadersSay(t *testing.T) {
	needRoot(t)
	defer unix.Umask(unix.Umask(0o077))
	// user::rwx, user:7:rwx, group::r-x, mask::rwx, other::---
	acl := "\x02\x00\x00\x00" + "\x01\x00\x07\x00\xff\xff\xff\xff" + "\x02\x00\x07\x00\x07\x00\x00\x00" +
		"\x04\x00\x05\x00\xff\xff\xff\xff" + "\x10\x00\x07\x00\xff\xff\xff\xff" + "\x20\x00\x00\x00\xff\xff\xff\xff"
	entries := []ent{
		{name: "plain", kind: tar.TypeDir},
		{name: "setgid", kind: tar.TypeDir, mode: 0o2775},
		{name: "acl", kind: tar.TypeDir, pax: map[string]string{paxXattr + "system.posix_acl_default": acl}},
	}
	modes := map[string]int64{"open": 0o666, "all": 0o777, "none": 0o100, "setuid": 0o4755, "setgid": 0o2711, "sticky": 0o1644}
	for _, d := range []string{"plain", "setgid", "acl"} {
		for name, mode := range modes {
			entries = append(entries, ent{name: d + "/" + name, data: "x", mode: mode, time: 1234567890},
				ent{name: d + "/" + name + "-5", data: "x", mode: mode, uid: 5, time: 1234567890})
		}
	}
	data := archive(t, entries...)
	check := func(top string) {
		for _, e := range entries[3:] {
			st := lstat(t, filepath.Join(top, e.name))
			if st.Mode != unix.S_IFREG|uint32(e.mode) || st.Uid != uint32(e.uid) || st.Gid != 0 || st.Mtim != (unix.Timespec{Sec: 1234567890}) {
				t.Errorf("%s: mode %o, owner %d:%d, time %v", e.name, st.Mode, st.Uid, st.Gid, st.Mtim)
			}
		}
	}
	top, _, err := apply(t, data)
	must(t, err)
	check(top)

	// Over a directory of another group, whose files get it too at first.
	live := t.TempDir()
	must(t, os.Mkdir(live+"/setgid", 0o755))
	must(t, os.Chown(live+"/setgid", 0, 9))
	must(t, os.Chmod(live+"/setgid", 0o755|fs.ModeSetgid))
	root, err := os.Open(live)
	must(t, err)
	defer root.Close()
	must(t, Extract(t.Context(), root, "/", bytes.NewReader(data), ExtractOptions{}))
	check(live)
}

// TestLayersKeepHoles writes a tree with sparse files as a layer and unpacks that.
func TestLayersKeepHoles(t *testing.T) {
	needRoot(t)
	src := t.TempDir()
	sizes := map[string]int64{"small": 48 << 10, "large": 20 << 20}
	for name, size := range sizes {
		f, err := os.Create(filepath.Join(src, name))
		must(t, err)
		_, err = f.WriteAt([]byte("middle"), size/2)
		must(t, err)
		must(t, f.Truncate(size))
		must(t, f.Close())
	}
	var b bytes.Buffer
	must(t, WriteTar(t.Context(), &b, src, TarOptions{Layer: true}))
	d := mustApply(t, b.Bytes())
	must(t, Verify(t.Context(), d, d+".index"))
	for name, size := range sizes {
		if st := lstat(t, filepath.Join(d, name)); st.Size != size || st.Blocks*512 > 16<<10 {
			t.Errorf("%s: %d bytes, which take %d", name, st.Size, st.Blocks*512)
		}
	}
}

// TestSparseFilesKeepTheirHoles writes zeros as holes, also at the end.
func TestSparseFilesKeepTheirHoles(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	fd, err := createFile(unix.AT_FDCWD, name, 0o600)
	must(t, err)
	want := "start" + strings.Repeat("\x00", 1<<20) + "middle" + strings.Repeat("\x00", 1<<20)
	_, err = writeContent(fd, strings.NewReader(want))
	closeFile(fd, &err)
	must(t, err)
	got, err := os.ReadFile(name)
	must(t, err)
	if string(got) != want {
		t.Errorf("%d bytes are not the %d that were written", len(got), len(want))
	}
	if st := lstat(t, name); st.Blocks*512 >= 1<<20 {
		t.Errorf("it takes %d bytes", st.Blocks*512)
	}
}

// TestWritesThatFail are errors of the file, not of the stream.
func TestWritesThatFail(t *testing.T) {
	fd, err := unix.Open("/dev/full", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	must(t, err)
	_, err = writeContent(fd, strings.NewReader("x"))
	if err == nil || err.Error() != "write file: no space left on device" {
		t.Errorf("a full disk: %v", err)
	}
	must(t, unix.Close(fd))
	closeFile(fd, &err)
	if err.Error() != "write file: no space left on device" {
		t.Errorf("the first error is lost: %v", err)
	}
	err = nil
	if closeFile(-1, &err); err == nil {
		t.Error("closing failed unnoticed")
	}
}
