package rootfs

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// tree makes a root with links in it and a directory beside it that nothing in
// the root may lead to.
func tree(t *testing.T) (root *os.File, outside string) {
	t.Helper()
	dir := t.TempDir()
	outside = filepath.Join(dir, "outside")
	for _, d := range []string{"outside", "root/a/b"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"abs": outside, "up": "../outside", "deep": "/a/../../../outside/x", "loop": "loop", "in": "/a/b"} {
		if err := os.Symlink(target, filepath.Join(dir, "root", link)); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.Open(filepath.Join(dir, "root"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root, outside
}

func TestMakeStaysInside(t *testing.T) {
	root, outside := tree(t)
	for _, name := range []string{"/abs/d", "/up/d", "/deep/d", "../../outside/d", "/in/d", "new/../new/er"} {
		d, err := makeDir(root, name, 0o755)
		if err != nil {
			t.Errorf("make directory %s: %v", name, err)
			continue
		}
		d.Close()
		f, err := makeFile(root, name+"/f")
		if err != nil {
			t.Errorf("make file %s: %v", name, err)
			continue
		}
		f.Close()
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
		t.Errorf("made outside: %v, %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(root.Name(), "a/b/d/f")); err != nil {
		t.Errorf("the link inside was not followed: %v", err)
	}
	if _, err := makeDir(root, "/loop/x", 0o755); !errors.Is(err, unix.ELOOP) {
		t.Errorf("a link to itself: %v, want ELOOP", err)
	}
	if _, err := makeDir(root, "/in/d/f/x", 0o755); !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("below a file: %v, want ENOTDIR", err)
	}
}

// TestMakeDuringExchange is CVE-2021-30465: another process exchanges a
// directory and a link to the outside while paths through it are made.
func TestMakeDuringExchange(t *testing.T) {
	root, outside := tree(t)
	dir := root.Name()
	if err := os.Mkdir(filepath.Join(dir, "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "y")); err != nil {
		t.Fatal(err)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				_ = unix.Renameat2(unix.AT_FDCWD, dir+"/x", unix.AT_FDCWD, dir+"/y", unix.RENAME_EXCHANGE)
			}
		}
	}()
	for i := range 2000 {
		f, err := makeDir(root, "/x/sub"+string(rune('a'+i%26))+"/deeper", 0o755)
		if err == nil {
			f.Close()
		}
	}
	close(stop)
	<-stopped
	if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
		t.Errorf("made outside: %v, %v", left, err)
	}
}

func TestPath(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for path, kind := range map[string]error{"": errdefs.ErrInvalidArgument, "gone": errdefs.ErrNotFound, "file": errdefs.ErrInvalidArgument, ".": nil, dir: nil} {
		got, err := Path(&specs.Spec{Root: &specs.Root{Path: path}}, dir)
		if !errors.Is(err, kind) || err == nil && got != dir {
			t.Errorf("path %q: %q, %v; want %v", path, got, err, kind)
		}
	}
}

func TestCopyUp(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	if err := errors.Join(os.Mkdir(from+"/d", 0o750), os.WriteFile(from+"/d/f", []byte("text"), 0o640),
		os.Symlink("d/f", from+"/l"), unix.Mkfifo(from+"/p", 0o600), os.Chmod(from, 0o711)); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		if err := os.Chown(from+"/d/f", 12, 34); err != nil {
			t.Fatal(err)
		}
	}
	src, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	dst, err := os.Open(to)
	if err != nil {
		t.Fatal(err)
	}
	defer dst.Close()
	if err := copyUp(src, dst); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".", "d", "d/f", "l", "p"} {
		var a, b unix.Stat_t
		if err := errors.Join(unix.Lstat(from+"/"+name, &a), unix.Lstat(to+"/"+name, &b)); err != nil {
			t.Error(err)
		}
		if a.Mode != b.Mode || a.Uid != b.Uid || a.Gid != b.Gid || name == "d/f" && a.Size != b.Size {
			t.Errorf("%s: mode %o, owner %d:%d, size %d; want %o, %d:%d, %d", name, b.Mode, b.Uid, b.Gid, b.Size, a.Mode, a.Uid, a.Gid, a.Size)
		}
	}
}
