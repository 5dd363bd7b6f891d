package diff

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"
)

func needRoot(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("owners, devices and trusted xattrs need root")
	}
}

// ent is an entry of a test archive.
type ent struct {
	name string
	kind byte // tar type; 0 is a file
	link string
	data string
	mode int64
	uid  int
	pax  map[string]string
	dev  [2]int64
	time int64
}

func dir(name string) ent              { return ent{name: name, kind: tar.TypeDir} }
func file(name, data string) ent       { return ent{name: name, data: data} }
func symlink(name, target string) ent  { return ent{name: name, kind: tar.TypeSymlink, link: target} }
func hardlink(name, target string) ent { return ent{name: name, kind: tar.TypeLink, link: target} }

func archive(t testing.TB, entries ...ent) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Linkname: e.link, Mode: e.mode, Uid: e.uid, PAXRecords: e.pax,
			Devmajor: e.dev[0], Devminor: e.dev[1], Size: int64(len(e.data)), ModTime: time.Unix(e.time, 0)}
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if h.Mode == 0 {
			h.Mode = 0o644
			if h.Typeflag == tar.TypeDir {
				h.Mode = 0o755
			}
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatalf("write header of %q: %v", e.name, err)
		}
		if _, err := w.Write([]byte(e.data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// apply unpacks an archive into a new directory and returns that.
func apply(t testing.TB, data []byte, lower ...string) (string, Result, error) {
	t.Helper()
	d := filepath.Join(t.TempDir(), "fs")
	if err := os.Mkdir(d, 0o755); err != nil {
		t.Fatal(err)
	}
	res, err := Apply(t.Context(), d, bytes.NewReader(data), ApplyOptions{Lower: lower, Index: d + ".index"})
	return d, res, err
}

func mustApply(t testing.TB, data []byte, lower ...string) string {
	t.Helper()
	d, res, err := apply(t, data, lower...)
	if err != nil {
		t.Fatal(err)
	}
	if _, c, _ := Decompress(bytes.NewReader(data)); c == Uncompressed && res.DiffID != digest.FromBytes(data) {
		t.Errorf("diff ID %s is not that of the stream", res.DiffID)
	}
	return d
}

func lstat(t testing.TB, path string) unix.Stat_t {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		t.Fatalf("lstat %s: %v", path, err)
	}
	return st
}

func wantFile(t testing.TB, path, data string) {
	t.Helper()
	st := lstat(t, path)
	b, err := os.ReadFile(path)
	if err != nil || string(b) != data || st.Mode&unix.S_IFMT != unix.S_IFREG {
		t.Errorf("%s: %q (mode %o), %v; want %q", path, b, st.Mode, err, data)
	}
}

func opaque(t testing.TB, path string) bool {
	t.Helper()
	var v [8]byte
	n, err := unix.Lgetxattr(path, opaqueXattr, v[:])
	return err == nil && string(v[:n]) == "y"
}

func TestApplyKeepsEverything(t *testing.T) {
	needRoot(t)
	long := strings.Repeat("n", 255)
	capability := "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	d := mustApply(t, archive(t,
		ent{name: "./", kind: tar.TypeDir, mode: 0o1777, uid: 3, time: 50},
		ent{name: "bin/", kind: tar.TypeDir, mode: 0o750, uid: 7, time: 1000},
		ent{name: "bin/su", data: "binary", mode: 0o4755, uid: 5, time: 1234567890, pax: map[string]string{
			paxXattr + "security.capability": capability, paxXattr + "user.note": "a\x00b",
			paxXattr + "trusted.overlay.redirect": "/etc", paxXattr + "user.overlay.origin": "x"}},
		hardlink("bin/su2", "bin/su"),
		symlink("lib", "usr/lib"),
		symlink("abs", "/../../etc"),
		ent{name: "dev/null", kind: tar.TypeChar, mode: 0o666, dev: [2]int64{1, 3}},
		ent{name: "dev/sda", kind: tar.TypeBlock, mode: 0o660, dev: [2]int64{8, 0}},
		ent{name: "run/fifo", kind: tar.TypeFifo, mode: 0o600},
		file("caf\xe9/\xff\xfe", "bytes"),
		file(long+"/"+long, "long"),
		file("empty", ""),
		file("twice", "first"), file("twice", "second"),
	))
	su := lstat(t, d+"/bin/su")
	if su.Mode != unix.S_IFREG|0o4755 || su.Uid != 5 || su.Mtim.Sec != 1234567890 || su.Nlink != 2 {
		t.Errorf("bin/su: %+v", su)
	}
	attrs := map[string]string{}
	buf := make([]byte, 100)
	for _, k := range []string{"security.capability", "user.note", "trusted.overlay.redirect", "user.overlay.origin"} {
		if n, err := unix.Lgetxattr(d+"/bin/su", k, buf); err == nil {
			attrs[k] = string(buf[:n])
		}
	}
	if len(attrs) != 2 || attrs["security.capability"] != capability || attrs["user.note"] != "a\x00b" {
		t.Errorf("xattrs: %q", attrs)
	}
	if st := lstat(t, d+"/bin"); st.Mode&0o7777 != 0o750 || st.Mtim.Sec != 1000 {
		t.Errorf("directory: mode %o, time %d", st.Mode, st.Mtim.Sec)
	}
	if st := lstat(t, d); st.Mode&0o7777 != 0o1777 || st.Uid != 3 || st.Mtim.Sec != 50 {
		t.Errorf("root: mode %o, owner %d, time %d", st.Mode, st.Uid, st.Mtim.Sec)
	}
	if st := lstat(t, d+"/dev/null"); st.Mode != unix.S_IFCHR|0o666 || st.Rdev != unix.Mkdev(1, 3) {
		t.Errorf("dev/null: %+v", st)
	}
	if target, err := os.Readlink(d + "/abs"); err != nil || target != "/../../etc" {
		t.Errorf("link target %q, %v", target, err)
	}
	wantFile(t, d+"/caf\xe9/\xff\xfe", "bytes")
	wantFile(t, filepath.Join(d, long, long), "long")
	wantFile(t, d+"/twice", "second")

	x, err := OpenIndex(d + ".index")
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	e, err := x.Lookup("/bin/su2")
	if err != nil || e.Link != "/bin/su" || e.Size != 0 || e.Digest != digest.FromString("binary") || e.Mode != 0o4755 {
		t.Errorf("index of the hard link: %+v, %v", e, err)
	}
	if e, err := x.Lookup("/twice"); err != nil || e.Size != 6 {
		t.Errorf("index of a file that was replaced: %+v, %v", e, err)
	}
}

func TestApplyRefuses(t *testing.T) {
	needRoot(t)
	deep := strings.Repeat("d/", 1100)
	for name, entries := range map[string][]ent{
		"dot dot":                     {file("../evil", "x")},
		"dot dot inside":              {dir("a"), file("a/../../evil", "x")},
		"absolute":                    {file("/evil", "x")},
		"through a link up":           {symlink("l", "../.."), file("l/evil", "x")},
		"through a link out":          {symlink("l", "/tmp"), file("l/evil", "x")},
		"through a chain of links":    {dir("a"), symlink("a/b", "../.."), symlink("c", "a/b"), file("c/evil", "x")},
		"through a loop of links":     {symlink("a", "b"), symlink("b", "a"), file("a/evil", "x")},
		"directory through a link":    {symlink("l", ".."), dir("l/evil")},
		"link through a link":         {symlink("l", ".."), symlink("l/evil", "x")},
		"hard link out":               {hardlink("h", "../../etc/passwd")},
		"hard link absolute":          {hardlink("h", "/etc/passwd")},
		"hard link through a link":    {symlink("l", "/etc"), hardlink("h", "l/passwd")},
		"hard link to nothing":        {hardlink("h", "nothing")},
		"hard link to itself":         {hardlink("h", "h")},
		"hard link to a directory":    {dir("d"), hardlink("h", "d")},
		"hard link to the root":       {hardlink("h", ".")},
		"hard link over its parent":   {dir("d"), file("d/f", "x"), hardlink("d", "d/f")},
		"root is a file":              {file(".", "x")},
		"root is a link":              {symlink("./", "/etc")},
		"root is a device":            {{name: ".", kind: tar.TypeChar, dev: [2]int64{1, 3}}},
		"below a file":                {file("f", "x"), file("f/evil", "x")},
		"below a device":              {{name: "n", kind: tar.TypeChar, dev: [2]int64{1, 3}}, file("n/evil", "x")},
		"device that is a whiteout":   {{name: "n", kind: tar.TypeChar}},
		"bad device":                  {{name: "n", kind: tar.TypeBlock, dev: [2]int64{1 << 20, 0}}},
		"whiteout of the parent":      {file("a/.wh...", "")},
		"whiteout of itself":          {file("a/.wh..", "")},
		"whiteout of nothing":         {file("a/.wh.", "")},
		"whiteout through a link out": {symlink("l", "../.."), file("l/.wh.etc", "")},
		"link to nothing":             {{name: "l", kind: tar.TypeSymlink}},
		"component too long":          {file(strings.Repeat("n", 256), "x")},
		"path too long":               {file(strings.Repeat("p/", 2100)+"f", "x")},
		"too deep":                    {file(deep+"f", "x")},
		"unknown type":                {{name: "x", kind: 'Q'}},
		"bad owner":                   {{name: "x", uid: -5, pax: map[string]string{}}},
	} {
		t.Run(name, func(t *testing.T) {
			// Something good comes first: it must go as well.
			good := []ent{file("good/file", "x"), symlink("good/link", "file")}
			d, _, err := apply(t, archive(t, append(good, entries...)...))
			if !errdefs.IsInvalidArgument(err) {
				t.Fatalf("%v, want kind InvalidArgument", err)
			}
			wantEmpty(t, d)
		})
	}
}

// wantEmpty checks that nothing is left in d, nor was made beside it.
func wantEmpty(t testing.TB, d string) {
	t.Helper()
	for dir, want := range map[string]int{d: 0, filepath.Dir(d): 1} {
		names, err := os.ReadDir(dir)
		if err != nil || len(names) != want {
			t.Errorf("left in %s: %v, %v", dir, names, err)
		}
	}
	for _, p := range []string{"/evil", "/tmp/evil", filepath.Join(filepath.Dir(filepath.Dir(d)), "evil")} {
		if _, err := os.Lstat(p); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s was made", p)
		}
	}
}

func TestApplyStaysInsideWhereLinksAreFine(t *testing.T) {
	needRoot(t)
	d := mustApply(t, archive(t,
		dir("run"), dir("usr/lib"),
		symlink("var/run", "/run"), file("var/run/pid", "1"), // as bazel's layers have it
		symlink("lib", "usr/lib"), file("lib/so", "2"),
		symlink("a/b", "../run"), file("a/b/x", "3"),
	))
	wantFile(t, d+"/run/pid", "1")
	wantFile(t, d+"/usr/lib/so", "2")
	wantFile(t, d+"/run/x", "3")
}

// xzOf compresses data.
func xzOf(t testing.TB, data []byte, args ...string) []byte {
	t.Helper()
	cmd := exec.Command("xz", append([]string{"-c"}, args...)...)
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("no xz to compress with: %v", err)
	}
	return out
}

// TestXZBomb asks for a dictionary of a gigabyte.
func TestXZBomb(t *testing.T) {
	r, _, err := Decompress(bytes.NewReader(xzOf(t, []byte("x"), "--lzma2=preset=0,dict=1GiB")))
	if err == nil {
		_, err = io.ReadAll(r)
	}
	if err == nil || !strings.Contains(err.Error(), "dictionary size exceeds max") {
		t.Errorf("%v, want one of the dictionary", err)
	}
}

// One header can name a thousand directories, and a small tar so fill the memory.
func TestApplyBoundsMemory(t *testing.T) {
	needRoot(t)
	deep := archive(t, file(strings.Repeat("d/", 1000)+"f", "x"), file("g", "x"), file("h", "x"))
	d := t.TempDir()
	_, err := Apply(t.Context(), d, bytes.NewReader(deep), ApplyOptions{record: 30 << 10})
	if !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), "of memory") {
		t.Errorf("a thousand entries of one header: %v", err)
	}
	wantEmpty(t, d)
	if _, err := Apply(t.Context(), d, bytes.NewReader(deep), ApplyOptions{record: 2 << 20}); err != nil {
		t.Errorf("with room for them: %v", err)
	}
}

func TestApplyBadStreams(t *testing.T) {
	needRoot(t)
	plain := archive(t, file("a", strings.Repeat("data", 10000)), file("b", "x"))
	var gz, zs bytes.Buffer
	w := gzip.NewWriter(&gz)
	w.Write(plain)
	w.Close()
	z, _ := zstd.NewWriter(&zs)
	z.Write(plain)
	z.Close()
	for name, good := range map[string][]byte{"plain": plain, "gzip": gz.Bytes(), "zstd": zs.Bytes()} {
		d, res, err := apply(t, good)
		if err != nil || res.DiffID != digest.FromBytes(plain) || res.Size != 40001 {
			t.Errorf("%s: %+v, %v", name, res, err)
		}
		wantFile(t, d+"/b", "x")
	}
	xz := xzOf(t, plain)
	if d, res, err := apply(t, xz); err != nil || res.DiffID != digest.FromBytes(plain) || res.Compression != XZ {
		t.Errorf("xz: %+v, %v", res, err)
	} else {
		wantFile(t, d+"/b", "x")
	}
	wrong := bytes.Clone(xz)
	wrong[len(wrong)/2] ^= 1
	flipped := bytes.Clone(gz.Bytes())
	flipped[len(flipped)-6] ^= 1 // the checksum
	for name, bad := range map[string][]byte{
		"plain cut in a file":      plain[:20000],
		"plain cut in a header":    plain[:len(plain)-1024-600],
		"gzip cut":                 gz.Bytes()[:gz.Len()/2],
		"gzip without its end":     gz.Bytes()[:gz.Len()-4],
		"gzip wrong checksum":      flipped,
		"gzip garbage after":       append(bytes.Clone(gz.Bytes()), "garbage after the end"...),
		"gzip only a magic number": {0x1f, 0x8b},
		"zstd cut":                 zs.Bytes()[:zs.Len()-3],
		"zstd garbage after":       append(bytes.Clone(zs.Bytes()), "garbage after the end"...),
		"noise":                    bytes.Repeat([]byte("not a tar "), 200),
		"xz only a magic number":   {0xfd, '7', 'z', 'X', 'Z', 0, 0},
		"xz cut":                   xz[:len(xz)-30],
		"xz garbage after":         append(bytes.Clone(xz), "garbage after the end"...),
		"xz wrong content":         wrong,
	} {
		t.Run(name, func(t *testing.T) {
			d, _, err := apply(t, bad)
			if !errdefs.IsInvalidArgument(err) {
				t.Fatalf("%v, want kind InvalidArgument", err)
			}
			wantEmpty(t, d)
		})
	}
}

var old = time.Unix(1000, 0)

// listing renders an archive for error messages.
func listing(t testing.TB, data []byte) string {
	t.Helper()
	var b strings.Builder
	r := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := r.Next()
		if err != nil {
			return b.String()
		}
		fmt.Fprintf(&b, "%q %c %o %d:%d %d %s %s %q\n", h.Name, h.Typeflag, h.Mode, h.Uid, h.Gid, h.Size, h.Linkname, h.ModTime.UTC().Format(time.RFC3339), h.PAXRecords)
	}
}
