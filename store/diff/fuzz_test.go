package diff

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// FuzzApply unpacks whatever the fuzzer makes of archives on a layer with
// links to lead it astray. Nothing may appear outside of the directory, an
// error must leave it empty, and what was unpacked must be what the index
// says and survive being written and unpacked again.
func FuzzApply(f *testing.F) {
	if os.Getuid() != 0 {
		f.Skip("owners, devices and trusted xattrs need root")
	}
	for _, seed := range [][]ent{
		{file("a/b", "x"), symlink("l", "../.."), file("l/x", "y"), hardlink("h", "a/b")},
		{file("../x", ""), file("/x", ""), file(".wh.x", ""), file("d/.wh..wh..opq", "")},
		{dir("d"), file("d", "x"), dir("d/"), {name: "dev", kind: '3', dev: [2]int64{1, 3}}},
		{{name: "x", data: "x", pax: map[string]string{paxXattr + "user.a": "b", "mtime": "1.5"}}},
	} {
		f.Add(archive(f, seed...))
	}
	base := f.TempDir()
	low := filepath.Join(base, "low")
	must(f, os.Mkdir(low, 0o755))
	_, err := Apply(f.Context(), low, bytes.NewReader(archive(f, file("f", "x"), symlink("up", "../../.."), symlink("abs", "/"), dir("d"), symlink("d/l", "../f"))), ApplyOptions{})
	must(f, err)
	f.Fuzz(func(t *testing.T, data []byte) {
		top, err := os.MkdirTemp(base, "try")
		must(t, err)
		defer os.RemoveAll(top)
		d := filepath.Join(top, "fs")
		must(t, os.Mkdir(d, 0o755))
		_, err = Apply(t.Context(), d, bytes.NewReader(data), ApplyOptions{Lower: []string{low}, Index: filepath.Join(d, "..", "index")})
		names, rerr := os.ReadDir(top)
		must(t, rerr)
		if err != nil {
			inside, rerr := os.ReadDir(d)
			must(t, rerr)
			if len(names) != 1 || len(inside) != 0 {
				t.Fatalf("after %v there are %v and inside %v", err, names, inside)
			}
			return
		}
		if len(names) != 2 {
			t.Fatalf("made beside the directory: %v", names)
		}
		checkIndex(t, d, filepath.Join(top, "index"))
		var again, thrice bytes.Buffer
		must(t, WriteTar(t.Context(), &again, d, TarOptions{Layer: true}))
		d2 := filepath.Join(top, "fs2")
		must(t, os.Mkdir(d2, 0o755))
		_, err = Apply(t.Context(), d2, bytes.NewReader(again.Bytes()), ApplyOptions{})
		must(t, err)
		must(t, WriteTar(t.Context(), &thrice, d2, TarOptions{Layer: true}))
		if !bytes.Equal(again.Bytes(), thrice.Bytes()) {
			t.Fatalf("written again:\n%s\n%s", listing(t, again.Bytes()), listing(t, thrice.Bytes()))
		}
	})
}

// checkIndex compares an index with the directory it is of.
func checkIndex(t *testing.T, d, index string) {
	t.Helper()
	x, err := OpenIndex(index)
	must(t, err)
	defer x.Close()
	found := 0
	must(t, filepath.WalkDir(d, func(path string, _ os.DirEntry, err error) error {
		must(t, err)
		found++
		rel, err := filepath.Rel(d, path)
		must(t, err)
		e, err := x.Lookup(filepath.Join("/", rel))
		must(t, err)
		st := lstat(t, path)
		want := typeOf(&st)
		if isWhiteout(&st) {
			want = TypeWhiteout
		}
		if e.Type != want || want == TypeRegular && e.Link == "" && e.Size != st.Size || want != TypeWhiteout && e.UID != int(st.Uid) {
			t.Fatalf("%s is %+v, the index says %+v", path, st, e)
		}
		return nil
	}))
	if found != x.Len() {
		t.Fatalf("the index has %d entries, the directory %d", x.Len(), found)
	}
}

// FuzzIndex opens whatever the fuzzer makes of indexes.
func FuzzIndex(f *testing.F) {
	path := filepath.Join(f.TempDir(), "seed")
	must(f, WriteIndex(path, manyEntries(200)))
	seed, err := os.ReadFile(path)
	must(f, err)
	f.Add(seed)
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "index")
		must(t, os.WriteFile(path, data, 0o600))
		x, err := OpenIndex(path)
		if err != nil {
			return
		}
		defer x.Close()
		for _, err := range MergePart([]*Index{x, x}, MergeOptions{Depth: 1}) {
			if err != nil {
				return
			}
		}
	})
}

// FuzzDecompress reads whatever the fuzzer makes of compressed streams.
func FuzzDecompress(f *testing.F) {
	data := bytes.Repeat([]byte("some content"), 100)
	f.Add(xzOf(f, data))
	f.Add(xzOf(f, data, "--x86", "--lzma2=preset=0"))
	f.Add([]byte("BZh9\x17\x72\x45\x38\x50\x90\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, _, err := Decompress(bytes.NewReader(data))
		if err != nil {
			return
		}
		defer r.Close()
		_, _ = io.CopyN(io.Discard, r, 1<<20)
	})
}
