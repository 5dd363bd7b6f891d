package diff

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

// tarOf makes a tar of headers; what is behind a "=" in a file's name is its content.
func tarOf(t testing.TB, hdrs ...tar.Header) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range hdrs {
		name, content, _ := strings.Cut(h.Name, "=")
		h.Name, h.Size = name, int64(len(content))
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

func extractInto(t *testing.T, dir, into string, o ExtractOptions, hdrs ...tar.Header) error {
	t.Helper()
	root, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	return Extract(t.Context(), root, into, tarOf(t, hdrs...), o)
}

func TestExtractOverWhatIsThere(t *testing.T) {
	root := t.TempDir()
	for _, d := range []string{"real", "real/dir/in", "real/file-to-be"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.WriteFile(root+"/real/file", []byte("a longer text"), 0o644), os.Symlink("/real", root+"/link")); err != nil {
		t.Fatal(err)
	}
	when := time.Unix(1e9, 0)
	err := extractInto(t, root, "/link", ExtractOptions{},
		tar.Header{Name: "dir", Typeflag: tar.TypeDir, Mode: 0o701, ModTime: when},
		tar.Header{Name: "dir/new=x", Typeflag: tar.TypeReg, Mode: 0o4755, ModTime: when},
		tar.Header{Name: "file=short", Typeflag: tar.TypeReg, Mode: 0o600, ModTime: when},
		tar.Header{Name: "file-to-be=f", Typeflag: tar.TypeReg, Mode: 0o600, ModTime: when},
		tar.Header{Name: "hard", Typeflag: tar.TypeLink, Linkname: "dir/new"},
		tar.Header{Name: "soft", Typeflag: tar.TypeSymlink, Linkname: "/anywhere", ModTime: when},
		tar.Header{Name: "missing/parents/f=y", Typeflag: tar.TypeReg, Mode: 0o600, ModTime: when},
		tar.Header{Name: "fifo", Typeflag: tar.TypeFifo, Mode: 0o622, ModTime: when})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"dir/new": "x", "file": "short", "file-to-be": "f", "hard": "x", "missing/parents/f": "y"} {
		if b, err := os.ReadFile(filepath.Join(root, "real", name)); err != nil || string(b) != want {
			t.Errorf("%s holds %q, %v, want %q", name, b, err, want)
		}
	}
	for name, want := range map[string]os.FileMode{"dir": os.ModeDir | 0o701, "dir/new": os.ModeSetuid | 0o755, "fifo": os.ModeNamedPipe | 0o622, "soft": os.ModeSymlink | 0o777} {
		fi, err := os.Lstat(filepath.Join(root, "real", name))
		if err != nil || fi.Mode() != want || !fi.ModTime().Equal(when) {
			t.Errorf("%s: %v, %v, want %v", name, fi, err, want)
		}
	}
	if _, err := os.Stat(root + "/real/dir/in"); err != nil {
		t.Error("what was in a directory is gone")
	}
}

func TestExtractRefuses(t *testing.T) {
	root := t.TempDir()
	if err := errors.Join(os.MkdirAll(root+"/d/sub", 0o755), os.WriteFile(root+"/d/file", nil, 0o644), os.WriteFile(root+"/above", []byte("above"), 0o644)); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		into string
		hdr  tar.Header
		is   func(error) bool
	}{
		"a way out":               {"/d", tar.Header{Name: "../x=1", Typeflag: tar.TypeReg}, errdefs.IsInvalidArgument},
		"a link to what is above": {"/d", tar.Header{Name: "x", Typeflag: tar.TypeLink, Linkname: "../above"}, errdefs.IsInvalidArgument},
		"a link to nothing":       {"/d", tar.Header{Name: "x", Typeflag: tar.TypeLink, Linkname: "nothing"}, errdefs.IsInvalidArgument},
		"a file for a directory":  {"/d", tar.Header{Name: "sub=1", Typeflag: tar.TypeReg}, errdefs.IsInvalidArgument},
		"a directory for a file":  {"/d", tar.Header{Name: "file", Typeflag: tar.TypeDir}, errdefs.IsInvalidArgument},
		"into nothing":            {"/nothing", tar.Header{Name: "x=1", Typeflag: tar.TypeReg}, errdefs.IsNotFound},
		"into a file":             {"/d/file", tar.Header{Name: "x=1", Typeflag: tar.TypeReg}, errdefs.IsFailedPrecondition},
	} {
		if err := extractInto(t, root, c.into, ExtractOptions{KeepKind: true}, c.hdr); !c.is(err) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := extractInto(t, root, "/d", ExtractOptions{Owner: &[2]int{1, 2}}, tar.Header{Name: "sub=1", Typeflag: tar.TypeReg, Uid: 7}); err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Stat(root+"/d/sub", &st); err != nil || st.Uid != 1 || st.Gid != 2 {
		t.Errorf("owner %d:%d, %v", st.Uid, st.Gid, err)
	}
	garbled := bytes.NewBufferString(strings.Repeat("no tar at all ", 100))
	dir, err := os.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := Extract(t.Context(), dir, "/", garbled, ExtractOptions{}); !errdefs.IsInvalidArgument(err) {
		t.Errorf("what is no tar: %v", err)
	}
}

// What names something above the root means the root, which is above itself; above any
// other directory it is refused.
func TestExtractAboveTheRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: owners are set")
	}
	top := t.TempDir()
	root := filepath.Join(top, "root")
	if err := os.MkdirAll(root+"/dir", 0o755); err != nil {
		t.Fatal(err)
	}
	above := tar.Header{Name: "../../f=x", Typeflag: tar.TypeReg, Mode: 0o644}
	link := tar.Header{Name: "/../l", Linkname: "../f", Typeflag: tar.TypeLink}
	if err := extractInto(t, root, "/", ExtractOptions{}, above, link); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"f", "l"} {
		if data, err := os.ReadFile(filepath.Join(root, name)); err != nil || string(data) != "x" {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	if err := extractInto(t, root, "/dir", ExtractOptions{}, above); !errdefs.IsInvalidArgument(err) {
		t.Errorf("above a directory: %v", err)
	}
	if err := extractInto(t, root, "/", ExtractOptions{Root: true}, above); !errdefs.IsInvalidArgument(err) {
		t.Errorf("above a whole tree: %v", err)
	}
	if names, err := os.ReadDir(top); err != nil || len(names) != 1 {
		t.Errorf("beside the root there are %v, %v", names, err)
	}
}

// A container that swaps a directory for a link while files are copied into it
// must not get them written elsewhere.
func TestExtractIntoATreeThatChanges(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: what would be written over is root's")
	}
	top := t.TempDir()
	root, outside := filepath.Join(top, "root"), filepath.Join(top, "outside")
	if err := errors.Join(os.MkdirAll(root+"/dir", 0o755), os.MkdirAll(outside, 0o755), os.Symlink(outside, root+"/link"), os.Symlink("../../outside", root+"/other")); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var swaps atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ctx.Err() == nil; i++ {
			with := []string{"/link", "/other"}[i%2]
			if unix.Renameat2(unix.AT_FDCWD, root+"/dir", unix.AT_FDCWD, root+with, unix.RENAME_EXCHANGE) == nil {
				swaps.Add(1)
			}
		}
	}()
	for i := 0; i < 300 || swaps.Load() < 300; i++ {
		// Links lead nowhere inside the root: some of these fail.
		_ = extractInto(t, root, "/", ExtractOptions{}, tar.Header{Name: "dir/f=x", Typeflag: tar.TypeReg, Mode: 0o644}, tar.Header{Name: "dir/s", Typeflag: tar.TypeDir, Mode: 0o755})
	}
	stop()
	<-done
	if names, err := os.ReadDir(outside); err != nil || len(names) > 0 {
		t.Errorf("outside the root there are %v, %v", names, err)
	}
}
