package diff

import (
	"archive/tar"
	"os"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

func TestVerify(t *testing.T) {
	needRoot(t)
	layer := archive(t,
		dir("d"), ent{name: "d/file", data: "content", mode: 0o640, uid: 7, time: 99}, hardlink("hard", "d/file"), symlink("d/link", "file"),
		file(".wh.gone", ""), ent{name: "null", kind: tar.TypeChar, dev: [2]int64{1, 3}}, ent{name: "pipe", kind: tar.TypeFifo},
		file("implied/x", "x"), dir("d-1"), file("d-1/y", "y"), file("z", ""),
	)
	d := mustApply(t, layer)
	if err := Verify(t.Context(), d, d+".index"); err != nil {
		t.Fatalf("a good layer: %v", err)
	}
	for name, spoil := range map[string]func(d string) error{
		"/d/file has the content":          func(d string) error { return spoilFile(d + "/d/file") },
		"/d/file is missing":               func(d string) error { return os.Remove(d + "/d/file") },
		"/z is missing":                    func(d string) error { return os.Remove(d + "/z") },
		"/a is not in the index":           func(d string) error { return os.WriteFile(d+"/a", nil, 0o600) },
		"/d/link leads to":                 func(d string) error { os.Remove(d + "/d/link"); return os.Symlink("..", d+"/d/link") },
		"/d has mode 777":                  func(d string) error { return os.Chmod(d+"/d", 0o777) },
		"/implied/x belongs to 3:0":        func(d string) error { return os.Chown(d+"/implied/x", 3, 0) },
		"/gone is missing":                 func(d string) error { return os.Remove(d + "/gone") },
		"/pipe is of type 'f'":             func(d string) error { os.Remove(d + "/pipe"); return os.WriteFile(d+"/pipe", nil, 0o600) },
		"/null is device":                  func(d string) error { os.Remove(d + "/null"); return unix.Mknod(d+"/null", unix.S_IFCHR|0o644, 0x105) },
		"/z has another modification time": func(d string) error { return unix.Utimes(d+"/z", []unix.Timeval{{Sec: 5}, {Sec: 5}}) },
		"open index":                       func(d string) error { return os.Remove(d + ".index") },
		"checksum":                         func(d string) error { return spoilFile(d + ".index") },
	} {
		d := mustApply(t, layer)
		must(t, spoil(d))
		if err := Verify(t.Context(), d, d+".index"); !errdefs.IsDataLoss(err) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, os.RemoveAll(d))
	if err := Verify(t.Context(), d, d+".index"); !errdefs.IsDataLoss(err) {
		t.Errorf("no directory: %v", err)
	}
}

// spoilFile changes the first byte of a file and nothing else.
func spoilFile(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	data[0] ^= 1
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return os.Chtimes(path, st.ModTime(), st.ModTime())
}
