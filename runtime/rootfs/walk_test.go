package rootfs

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// withoutOpenat2 answers as a kernel before 5.6, or as a seccomp filter that was
// written before it.
func withoutOpenat2(t *testing.T, errno unix.Errno) {
	t.Helper()
	openat2 = func(int, string, *unix.OpenHow) (int, error) { return -1, errno }
	t.Cleanup(func() { openat2 = unix.Openat2 })
}

// TestWithoutOpenat2 runs the tests of the paths with what is done in its place.
func TestWithoutOpenat2(t *testing.T) {
	withoutOpenat2(t, unix.ENOSYS)
	t.Run("make", TestMakeStaysInside)
	t.Run("exchange", TestMakeDuringExchange)
}

// TestWalkIsOpenat2 compares the two.
func TestWalkIsOpenat2(t *testing.T) {
	root, _ := tree(t)
	dir := root.Name()
	if err := errors.Join(os.WriteFile(dir+"/file", nil, 0o600), os.Symlink("file", dir+"/tofile"), os.Symlink("nowhere", dir+"/dangling"),
		os.Symlink("in/../b", dir+"/around"), os.Symlink("/", dir+"/slash"), os.Symlink("/in", dir+"/a/abs")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"/", ".", "..", "../..", "a", "/a/b", "a/../a//b/.", "in", "in/..", "in/../..", "in/../../../a", "around", "slash/slash/a",
		"a/abs", "a/b/../abs/..", "abs", "up", "deep", "loop", "loop/x", "dangling", "gone/x", "file", "file/", "file/.", "file/..", "tofile", "tofile/x", "slash/../in/..//b"} {
		want, werr := open(root, name)
		fd, err := walk(root, name)
		if !errors.Is(werr, err) && (err != nil || werr != nil) {
			t.Errorf("%s: %v, openat2 says %v", name, err, werr)
		}
		if err != nil || werr != nil {
			continue
		}
		var a, b unix.Stat_t
		if err := errors.Join(unix.Fstat(int(want.Fd()), &a), unix.Fstat(fd, &b)); err != nil || a.Ino != b.Ino || a.Dev != b.Dev {
			t.Errorf("%s: inode %d, openat2 finds %d (%v)", name, b.Ino, a.Ino, err)
		}
		want.Close()
		unix.Close(fd)
	}
}

// TestNoMagicLinks walks through links that lead where no path does, and through
// those of proc that are ordinary.
func TestNoMagicLinks(t *testing.T) {
	root, err := os.Open("/")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	both := func(t *testing.T) {
		for _, name := range []string{"/proc/self/cwd", "/proc/self/root/etc", "/proc/self/exe", "/proc/self/fd/0", "/proc/thread-self/ns/mnt"} {
			if f, err := open(root, name); !errors.Is(err, unix.ELOOP) {
				t.Errorf("%s: %v, %v; want ELOOP", name, f, err)
			}
		}
		f, err := open(root, "/proc/mounts")
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	t.Run("openat2", both)
	withoutOpenat2(t, unix.EPERM)
	t.Run("walk", both)
}

// TestWalkClosesWhatItOpens would run out of descriptors.
func TestWalkClosesWhatItOpens(t *testing.T) {
	root, _ := tree(t)
	count := func() int {
		list, err := filepath.Glob("/proc/self/fd/*")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	before := count()
	for _, name := range []string{"in/../b", "loop", "gone", "abs/x", "a/b/../../a"} {
		if fd, err := walk(root, name); err == nil {
			unix.Close(fd)
		}
	}
	if after := count(); after != before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
}
