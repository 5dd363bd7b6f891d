package engine

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/volume"
	"golang.org/x/sys/unix"
)

// stuffed is a volume with everything that a copy could lose.
func (r *rig) stuffed(name string) volume.Volume {
	r.t.Helper()
	v, err := r.Volumes.Create(r.ctx, volume.CreateRequest{Name: name, Labels: map[string]string{"tier": "back"}})
	if err != nil {
		r.t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(v.Mountpoint, name) }
	sparse, err := os.Create(at("sparse"))
	if err != nil {
		r.t.Fatal(err)
	}
	err = errors.Join(sparse.Truncate(64<<20), sparse.Close(), os.Mkdir(at("d"), 0o750), os.WriteFile(at("d/f"), []byte("one"), 0o640), os.Link(at("d/f"), at("hard")),
		os.Chown(at("d/f"), 33, 34), unix.Chmod(at("d/f"), 0o4755), unix.Setxattr(at("d"), "user.mark", []byte("x"), 0), os.Symlink("/etc/passwd", at("out")), os.Symlink("d/f", at("in")),
		unix.Mknod(at("whiteout"), unix.S_IFCHR|0o600, 0), unix.Mkfifo(at("pipe"), 0o600), os.WriteFile(at(".wh.name"), nil, 0o600), unix.Chmod(v.Mountpoint, 0o1770), os.Chown(v.Mountpoint, 5, 6))
	if err != nil {
		r.t.Fatal(err)
	}
	return v
}

// sameAs checks that a volume holds what stuffed made.
func (r *rig) sameAs(v volume.Volume) {
	r.t.Helper()
	stat := func(name string) (st unix.Stat_t) {
		r.t.Helper()
		if err := unix.Lstat(filepath.Join(v.Mountpoint, name), &st); err != nil {
			r.t.Errorf("%s of %s: %v", name, v.Name, err)
		}
		return st
	}
	if st := stat("."); st.Uid != 5 || st.Gid != 6 || st.Mode&0o7777 != 0o1770 {
		r.t.Errorf("the directory of %s: %d:%d %o", v.Name, st.Uid, st.Gid, st.Mode)
	}
	f, hard := stat("d/f"), stat("hard")
	if f.Uid != 33 || f.Gid != 34 || f.Mode&0o7777 != 0o4755 || f.Ino != hard.Ino || f.Nlink != 2 {
		r.t.Errorf("the file: %+v, and its other name: %+v", f, hard)
	}
	value := make([]byte, 8)
	if n, err := unix.Getxattr(filepath.Join(v.Mountpoint, "d"), "user.mark", value); err != nil || string(value[:n]) != "x" {
		r.t.Errorf("the attribute: %v", err)
	}
	if st := stat("whiteout"); st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != 0 {
		r.t.Errorf("the device: %+v", st)
	}
	if st := stat("pipe"); st.Mode&unix.S_IFMT != unix.S_IFIFO {
		r.t.Errorf("the pipe: %+v", st)
	}
	if st := stat("sparse"); st.Size != 64<<20 {
		r.t.Errorf("the sparse file: %d bytes", st.Size)
	}
	stat(".wh.name")
	if to, err := os.Readlink(filepath.Join(v.Mountpoint, "out")); err != nil || to != "/etc/passwd" {
		r.t.Errorf("the link: %q, %v", to, err)
	}
}

func TestVolumesAreClonedWhole(t *testing.T) {
	r := newRig(t)
	v := r.stuffed("vol")
	made, err := r.Volumes.Clone(r.ctx, "vol", "copy")
	if err != nil || made.Labels["tier"] != "back" {
		t.Fatalf("%+v, %v", made, err)
	}
	r.sameAs(v)
	r.sameAs(made)
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(made.Mountpoint, "sparse"), &st); err != nil || st.Blocks > 64 {
		t.Errorf("the sparse file takes %d blocks, %v", st.Blocks, err)
	}
	if _, err := r.Volumes.Clone(r.ctx, "vol", "copy"); !errdefs.IsConflict(err) {
		t.Errorf("onto one that exists: %v", err)
	}
	if _, err := r.Volumes.Clone(r.ctx, "none", "other"); !errdefs.IsNotFound(err) {
		t.Errorf("of none: %v", err)
	}
	if _, err := r.Volumes.Clone(r.ctx, "vol", "../x"); !errdefs.IsInvalidArgument(err) {
		t.Errorf("a bad name: %v", err)
	}
	if left, err := os.ReadDir(filepath.Join(r.cfg.Root, "volumes")); err != nil || len(left) != 2 {
		t.Errorf("left are %v, %v", left, err)
	}
}

func (r *rig) exported(name string) []byte {
	r.t.Helper()
	var b bytes.Buffer
	if err := r.Volumes.Export(r.ctx, name, func() io.Writer { return &b }); err != nil {
		r.t.Fatal(err)
	}
	return b.Bytes()
}

func TestVolumesAreExportedAndImported(t *testing.T) {
	r := newRig(t)
	r.stuffed("vol")
	archive := r.exported("vol")
	made, err := r.Volumes.Import(r.ctx, "new", bytes.NewReader(archive), false)
	if err != nil {
		t.Fatal(err)
	}
	r.sameAs(made)
	if again := r.exported("new"); !bytes.Equal(again, archive) {
		t.Errorf("the archive of what was imported has %d bytes, not %d", len(again), len(archive))
	}
	// What is there is not lost by mistake.
	if err := os.WriteFile(filepath.Join(made.Mountpoint, "d/own"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Volumes.Import(r.ctx, "new", bytes.NewReader(archive), false); !errdefs.IsConflict(err) || !strings.Contains(err.Error(), "--force") {
		t.Errorf("into one that is not empty: %v", err)
	}
	if _, err := r.Volumes.Import(r.ctx, "new", bytes.NewReader(archive), true); err != nil {
		t.Errorf("with force: %v", err)
	}
	if _, err := os.Stat(filepath.Join(made.Mountpoint, "d/own")); err != nil {
		t.Errorf("what was there: %v", err)
	}
	if _, err := r.Volumes.Create(r.ctx, volume.CreateRequest{Name: "used"}); err != nil {
		t.Fatal(err)
	}
	o := shell("while ! test -e /v/d/f; do sleep 0.01; done")
	o.HostConfig.Binds = []string{"used:/v"}
	id := r.run(o)
	if _, err := r.Volumes.Import(r.ctx, "used", bytes.NewReader(archive), false); !errdefs.IsConflict(err) || !strings.Contains(err.Error(), id) {
		t.Errorf("into one in use: %v", err)
	}
	if _, err := r.Volumes.Import(r.ctx, "used", bytes.NewReader(archive), true); err != nil {
		t.Errorf("with force: %v", err)
	}
	if code := r.exit(id); code != 0 { // the container sees it
		t.Errorf("exit %d", code)
	}
}

// An archive can be cut off, hostile, or no archive: no volume comes of it.
func TestImportsThatFail(t *testing.T) {
	r := newRig(t)
	r.stuffed("vol")
	whole := r.exported("vol")
	evil := func(h tar.Header) []byte {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		if err := errors.Join(w.WriteHeader(&tar.Header{Name: "link", Typeflag: tar.TypeSymlink, Linkname: "/tmp"}), w.WriteHeader(&h), w.Close()); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	for what, archive := range map[string][]byte{
		"cut off": whole[:len(whole)/2], "garbage": []byte(strings.Repeat("garbage ", 200)),
		"hard link": evil(tar.Header{Name: "x", Typeflag: tar.TypeLink, Linkname: "../../../../etc/passwd"}),
		"the root":  evil(tar.Header{Name: "./", Typeflag: tar.TypeSymlink, Linkname: "/etc"}),
		"above":     evil(tar.Header{Name: "../x", Typeflag: tar.TypeReg}),
	} {
		if _, err := r.Volumes.Import(r.ctx, "new", bytes.NewReader(archive), false); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%s: %v", what, err)
		}
		if names := r.volumeNames(); len(names) != 1 {
			t.Errorf("%s: left are %v", what, names)
		}
	}
	through := evil(tar.Header{Name: "link/berth-escape", Typeflag: tar.TypeReg})
	if _, err := r.Volumes.Import(r.ctx, "new", bytes.NewReader(through), false); err == nil {
		if _, err := os.Lstat("/tmp/berth-escape"); err == nil {
			t.Error("a link in the archive led out of the volume")
		}
	}
	if left, err := os.ReadDir(filepath.Join(r.cfg.Root, "volumes")); err != nil || len(left) > 2 {
		t.Errorf("left are %v, %v", left, err)
	}
}

// A volume where the image has nothing stays as it was made, for every user.
func TestVolumeWhereTheImageHasNothing(t *testing.T) {
	r := newRig(t)
	o := shell("true")
	o.HostConfig.Binds = []string{"none:/none", "etc:/etc"}
	r.create(o)
	for _, name := range []string{"none", "etc"} {
		info, err := os.Stat(filepath.Join(r.cfg.Root, "volumes", name, "_data"))
		if err != nil || info.Mode().Perm() != 0o755 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	for _, c := range r.Containers.all() {
		if err := r.Containers.Remove(r.ctx, c.id, RemoveOptions{}); err != nil {
			t.Error(err)
		}
	}
}

// A file counts once, whatever it is called, and a link for what it says.
func TestSizeOfATree(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	err := errors.Join(os.Mkdir(at("d"), 0o755), os.WriteFile(at("d/f"), make([]byte, 1000), 0o644), os.Link(at("d/f"), at("again")), os.Symlink("four", at("link")))
	if err != nil {
		t.Fatal(err)
	}
	if n := treeSize(t.Context(), dir); n != 1004 {
		t.Errorf("%d bytes", n)
	}
	if n := treeSize(t.Context(), at("none")); n != 0 {
		t.Errorf("nothing has %d bytes", n)
	}
}

func TestFilesOfVolumes(t *testing.T) {
	r := newRig(t)
	r.stuffed("vol")
	list := func(dir string) (names []string) {
		t.Helper()
		entries, err := r.Volumes.Entries(r.ctx, "vol", dir)
		if err != nil {
			t.Fatal(err)
		}
		for e, err := range entries {
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, string(e.Type)+e.Path+e.Link)
		}
		return names
	}
	if got := strings.Join(list("/"), " "); got != "f/.wh.name d/d f/hard l/ind/f l/out/etc/passwd p/pipe f/sparse c/whiteout" {
		t.Errorf("got %s", got)
	}
	if got := strings.Join(list("../d"), " "); got != "f/d/f" {
		t.Errorf("got %s", got)
	}
	if got := strings.Join(list("d/f"), " "); got != "f/d/f" {
		t.Errorf("a file: got %s", got)
	}
	for path, want := range map[string]func(error) bool{
		"none": errdefs.IsNotFound, "out": errdefs.IsNotFound, "pipe": errdefs.IsInvalidArgument, "d": errdefs.IsInvalidArgument, "../../../meta.db": errdefs.IsNotFound,
	} {
		if _, _, err := r.Volumes.File(r.ctx, "vol", path); !want(err) {
			t.Errorf("%s: %v", path, err)
		}
	}
	f, size, err := r.Volumes.File(r.ctx, "vol", "in")
	if err != nil || size != 3 {
		t.Fatalf("%d, %v", size, err)
	}
	defer f.Close()
	if b, err := io.ReadAll(f); err != nil || string(b) != "one" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := r.Volumes.Entries(r.ctx, "none", "/"); !errdefs.IsNotFound(err) {
		t.Errorf("of no volume: %v", err)
	}
	if _, err := r.Volumes.Entries(r.ctx, "vol", "/none"); !errdefs.IsNotFound(err) {
		t.Errorf("of no directory: %v", err)
	}
}
