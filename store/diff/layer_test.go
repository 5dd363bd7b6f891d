package diff

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

func whiteout(t testing.TB, path string) bool {
	t.Helper()
	var st unix.Stat_t
	return unix.Lstat(path, &st) == nil && isWhiteout(&st)
}

func TestWhiteoutsConcernLowerLayersOnly(t *testing.T) {
	needRoot(t)
	low := mustApply(t, archive(t, file("f", "low"), file("d/low", "x"), file("e/low", "x"), file("g", "x")))
	// Whatever the order of entries, what the layer itself has stays.
	d := mustApply(t, archive(t,
		file("f", "new"), file(".wh.f", ""),
		file(".wh.g", ""), file("g", "new"),
		dir("d"), file("d/new", "x"), file(".wh.d", ""),
		file(".wh.e", ""), dir("e"), file("e/new", "x"),
		file("never/.wh.there", ""),
		file(".wh..wh.plnk", ""), file(".wh..wh.aufs", ""),
	), low)
	wantFile(t, d+"/f", "new")
	wantFile(t, d+"/g", "new")
	for _, name := range []string{"d", "e"} {
		if !opaque(t, filepath.Join(d, name)) {
			t.Errorf("%s does not hide the directory below", name)
		}
	}
	if !whiteout(t, d+"/never/there") {
		t.Error("no whiteout")
	}
	m, _ := overlayOn(t, d, low)
	var names []string
	for _, n := range []string{"d", "e"} {
		list, err := os.ReadDir(filepath.Join(m, n))
		must(t, err)
		for _, e := range list {
			names = append(names, n+"/"+e.Name())
		}
	}
	if !slices.Equal(names, []string{"d/new", "e/new"}) {
		t.Errorf("merged: %v", names)
	}
}

func TestOpaqueDirectories(t *testing.T) {
	needRoot(t)
	low := mustApply(t, archive(t, file("a/low", "x"), file("b", "x"), file("c/low", "x")))
	d := mustApply(t, archive(t, file("a/.wh..wh..opq", ""), file("a/new", "x")), low)
	if !opaque(t, d+"/a") {
		t.Error("directory is not opaque")
	}
	// Overlay does not look at an opaque root: each name must be hidden.
	d = mustApply(t, archive(t, file(".wh..wh..opq", ""), file("c/new", "x")), low)
	if !whiteout(t, d+"/a") || !whiteout(t, d+"/b") || !opaque(t, d+"/c") {
		t.Error("an opaque root does not hide all")
	}
	m, _ := overlayOn(t, d, low)
	if list, err := os.ReadDir(m); err != nil || len(list) != 1 {
		t.Errorf("merged root: %v, %v", list, err)
	}
}

func TestReplacingHidesWhatWasThere(t *testing.T) {
	needRoot(t)
	low := mustApply(t, archive(t, file("x/low", "x")))
	d := mustApply(t, archive(t, file("x", "file"), dir("x"), dir("y"), file("y/1", "1"), file("y", "file"), symlink("z", "y"), dir("z")), low)
	if !opaque(t, d+"/x") || !opaque(t, d+"/z") {
		t.Error("a directory that replaced something shows what is below")
	}
	wantFile(t, d+"/y", "file")
}

// TestImpliedDirectories has layers as kaniko, jib and bazel write them:
// without entries for the directories above.
func TestImpliedDirectories(t *testing.T) {
	needRoot(t)
	low := mustApply(t, archive(t,
		ent{name: "home/me", kind: tar.TypeDir, mode: 0o700, uid: 1000, time: 77}, symlink("lib", "usr/lib"), dir("usr/lib"),
		file("plain", "x"),
	))
	mid := mustApply(t, archive(t, ent{name: "usr/lib", kind: tar.TypeDir, mode: 0o751}), low)
	d := mustApply(t, archive(t, file("home/me/f", "x"), file("lib/so", "x"), file("plain/f", "x"), file("new/f", "x")), mid, low)
	if st := lstat(t, d+"/home/me"); st.Mode&0o7777 != 0o700 || st.Uid != 1000 || st.Mtim.Sec != 77 {
		t.Errorf("home/me: %+v", st)
	}
	if st := lstat(t, d+"/usr/lib"); st.Mode&0o7777 != 0o751 {
		t.Errorf("usr/lib: %+v", st)
	}
	wantFile(t, d+"/usr/lib/so", "x") // lib is a link in the layer below
	if _, err := os.Lstat(d + "/lib"); !os.IsNotExist(err) {
		t.Errorf("the link of the layer below is hidden: %v", err)
	}
	if st := lstat(t, d+"/new"); st.Mode&0o7777 != 0o755 {
		t.Errorf("new: %+v", st)
	}
}

func TestHardLinkToALowerLayerIsCopiedUp(t *testing.T) {
	needRoot(t)
	low := mustApply(t, archive(t, ent{name: "dir/file", data: "content", mode: 0o4711, uid: 9, time: 5}))
	d := mustApply(t, archive(t, hardlink("link", "dir/file")), low)
	a, b := lstat(t, d+"/link"), lstat(t, d+"/dir/file")
	if a.Ino != b.Ino || a.Mode&0o7777 != 0o4711 || a.Uid != 9 || a.Mtim.Sec != 5 {
		t.Errorf("%+v\n%+v", a, b)
	}
	wantFile(t, d+"/link", "content")
	gone := mustApply(t, archive(t, file("dir/.wh.file", "")), low)
	if _, _, err := apply(t, archive(t, hardlink("link", "dir/file")), gone, low); !errdefs.IsInvalidArgument(err) {
		t.Errorf("hard link to a deleted file: %v", err)
	}
}

func TestSparseFilesStaySparse(t *testing.T) {
	needRoot(t)
	src := t.TempDir()
	f, err := os.Create(src + "/sparse")
	must(t, err)
	_, err = f.WriteAt([]byte("end"), 64<<20)
	must(t, err)
	must(t, f.Close())
	for _, format := range []string{"gnu", "pax"} {
		out, err := exec.Command("tar", "--format="+format, "-S", "-C", src, "-cf", "-", "sparse").Output()
		if err != nil {
			t.Skipf("tar cannot make sparse archives: %v", err)
		}
		if len(out) > 1<<20 {
			t.Skip("the file system of the test has no holes")
		}
		st := lstat(t, mustApply(t, out)+"/sparse")
		if st.Size != 64<<20+3 || st.Blocks*512 > 1<<20 {
			t.Errorf("%s: %d bytes in %d blocks", format, st.Size, st.Blocks)
		}
	}
	// One that claims to be larger than anything costs next to nothing.
	hdr := archive(t, file("bomb", ""))
	hdr[156] = tar.TypeGNUSparse
	copy(hdr[257:265], "ustar  \x00")
	copy(hdr[386:], "77777777777\x0000000000000\x00")                   // the only data: none, at the end
	copy(hdr[483:], "\x80\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00") // real size: 1 TiB
	copy(hdr[386:], "\x80\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00")
	checksum(hdr[:512])
	if _, _, err = apply(t, hdr); !errdefs.IsInvalidArgument(err) {
		t.Errorf("sparse bomb: %v", err)
	}
}

// checksum puts the checksum into a header block.
func checksum(b []byte) {
	copy(b[148:156], "        ")
	sum := 0
	for _, c := range b {
		sum += int(c)
	}
	copy(b[148:156], fmt.Sprintf("%06o\x00 ", sum))
}

func TestApplyWantsAnEmptyDirectory(t *testing.T) {
	d := t.TempDir()
	must(t, os.WriteFile(d+"/mine", nil, 0o600))
	_, err := Apply(t.Context(), d, bytes.NewReader(archive(t, file("f", "x"))), ApplyOptions{})
	if !errdefs.IsFailedPrecondition(err) {
		t.Errorf("%v, want kind FailedPrecondition", err)
	}
	if list, err := os.ReadDir(d); err != nil || len(list) != 1 {
		t.Errorf("what was there: %v, %v", list, err)
	}
}

func TestWriteTarIsDeterministicAndComplete(t *testing.T) {
	needRoot(t)
	d := mustApply(t, archive(t,
		ent{name: "su", data: "x", mode: 0o4755, uid: 5, time: 9, pax: map[string]string{paxXattr + "user.k": "v\xff"}},
		hardlink("su2", "su"), symlink("l", "/abs"), file("n\xff\n", "x"), file("z/.wh.gone", ""), file("o/.wh..wh..opq", ""),
		ent{name: "null", kind: tar.TypeChar, dev: [2]int64{1, 3}}, ent{name: "fifo", kind: tar.TypeFifo},
		file(strings.Repeat("long/", 60)+"name", "x"),
	))
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	must(t, err)
	defer unix.Close(fd)
	must(t, unix.Bind(fd, &unix.SockaddrUnix{Name: d + "/sock"}))
	var a, b bytes.Buffer
	must(t, WriteTar(t.Context(), &a, d, TarOptions{Layer: true}))
	must(t, WriteTar(t.Context(), &b, d, TarOptions{Layer: true}))
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("the same tree gives different archives")
	}
	d2 := mustApply(t, a.Bytes())
	var c bytes.Buffer
	must(t, WriteTar(t.Context(), &c, d2, TarOptions{Layer: true}))
	if a.String() != c.String() {
		t.Errorf("unpacked and written again:\n%s\n%s", listing(t, a.Bytes()), listing(t, c.Bytes()))
	}
	must(t, os.WriteFile(d2+"/.wh.real", nil, 0o600))
	if err := WriteTar(t.Context(), io.Discard, d2, TarOptions{Layer: true}); !errdefs.IsInvalidArgument(err) {
		t.Errorf("a file that would read as a deletion: %v", err)
	}
}

// TestTarAgrees unpacks a tree of this machine with tar and with Apply.
func TestTarAgrees(t *testing.T) {
	needRoot(t)
	out, err := exec.Command("tar", "-C", "/", "-c", "etc").Output()
	if err != nil && len(out) == 0 {
		t.Skipf("tar: %v", err)
	}
	theirs := t.TempDir()
	cmd := exec.Command("tar", "-xp", "--same-owner", "-C", theirs)
	cmd.Stdin = bytes.NewReader(out)
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("tar: %v\n%s", err, msg)
	}
	ours := mustApply(t, out)
	var a, b bytes.Buffer
	must(t, WriteTar(t.Context(), &a, theirs, TarOptions{}))
	must(t, WriteTar(t.Context(), &b, ours, TarOptions{}))
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		x, y := strings.Split(listing(t, a.Bytes()), "\n"), strings.Split(listing(t, b.Bytes()), "\n")
		for i := range min(len(x), len(y)) {
			if x[i] != y[i] {
				t.Fatalf("tar:  %s\nours: %s", x[i], y[i])
			}
		}
		t.Fatalf("tar unpacked %d entries, we %d, or contents differ", len(x), len(y))
	}
}

// bigTree is an archive of many small files and some large ones.
func bigTree(t testing.TB, files int) []byte {
	entries := []ent{}
	small, large := strings.Repeat("some text ", 400), strings.Repeat("0123456789abcdef", 64<<10)
	for i := range files {
		if i%20 == 0 {
			entries = append(entries, dir(fmt.Sprintf("usr/lib/d%03d", i/20)))
		}
		data := small
		if i%100 == 0 {
			data = large
		}
		entries = append(entries, file(fmt.Sprintf("usr/lib/d%03d/f%d", i/20, i), data))
	}
	return archive(t, entries...)
}

func BenchmarkApply(b *testing.B) {
	needRoot(b)
	data := bigTree(b, 5000)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, _, err := apply(b, data); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTar is what BenchmarkApply is measured against.
func BenchmarkTar(b *testing.B) {
	needRoot(b)
	data := bigTree(b, 5000)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		cmd := exec.Command("tar", "-xp", "-C", b.TempDir())
		cmd.Stdin = bytes.NewReader(data)
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
	}
}

// BenchmarkChanges has 20,000 changed files.
func BenchmarkChanges(b *testing.B) {
	needRoot(b)
	low, _, err := apply(b, bigTree(b, 20000))
	must(b, err)
	up, _, err := apply(b, bigTree(b, 20000))
	must(b, err)
	now := time.Now()
	err = filepath.WalkDir(up, func(p string, _ os.DirEntry, err error) error {
		if err == nil {
			err = os.Chtimes(p, now, now)
		}
		return err
	})
	must(b, err)
	for b.Loop() {
		list, err := listChanges(b, up, []string{low})
		if err != nil || len(list) < 20000 {
			b.Fatal(len(list), err)
		}
	}
}

// TestDescendIsOpenat2 compares the way for old kernels with the usual one.
func TestDescendIsOpenat2(t *testing.T) {
	needRoot(t)
	tr, err := openTree(mustApply(t, archive(t, file("a/b/c/f", "x"), symlink("l", "a"), symlink("a/up", ".."))))
	must(t, err)
	defer tr.close()
	for path, want := range map[string]bool{"/a": true, "/a/b/c": true, "/l": false, "/l/b": false, "/a/up/a": false, "/a/b/c/f": false, "/x": false} {
		_, err := tr.open(path)
		fd, derr := tr.descend(path)
		if derr == nil {
			unix.Close(fd)
		}
		if (err == nil) != want || (derr == nil) != want {
			t.Errorf("%s: %v and %v", path, err, derr)
		}
	}
}
