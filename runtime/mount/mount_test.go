package mount

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

// private runs f on a thread with a mount table of its own, so that whatever a
// test mounts is gone with the thread.
func private(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("mounting needs root")
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Never unlocked: the thread must not serve other goroutines again.
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			t.Errorf("unshare the mount namespace: %v", err)
			return
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			t.Errorf("make the mounts private: %v", err)
			return
		}
		f(t)
	}()
	<-done
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestOverlayTakes127LayersWithLongPaths(t *testing.T) {
	private(t, func(t *testing.T) {
		dir := t.TempDir()
		long := filepath.Join(dir, strings.Repeat("long-name", 20), strings.Repeat("x", 100))
		var lower []string
		for i := range 127 {
			l := filepath.Join(long, string(rune('a'+i%26))+strings.Repeat("y", i))
			write(t, filepath.Join(l, "top"), filepath.Base(l))
			write(t, filepath.Join(l, "own", filepath.Base(l)), "")
			lower = append(lower, l)
		}
		for _, d := range []string{"upper", "work", "merged"} {
			if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		m := Mount{Type: "overlay", Source: "overlay", Options: []string{"lowerdir=" + strings.Join(lower, ":"),
			"upperdir=" + filepath.Join(dir, "upper"), "workdir=" + filepath.Join(dir, "work"), "redirect_dir=off", "metacopy=off"}}
		merged := filepath.Join(dir, "merged")
		if err := All([]Mount{m}, merged); err != nil {
			t.Error(err)
			return
		}
		if got, err := os.ReadFile(filepath.Join(merged, "top")); err != nil || string(got) != filepath.Base(lower[0]) {
			t.Errorf("topmost layer's file is %q, %v; want %q", got, err, filepath.Base(lower[0]))
		}
		if all, err := os.ReadDir(filepath.Join(merged, "own")); err != nil || len(all) != 127 {
			t.Errorf("merged directory holds %d entries, %v; want 127", len(all), err)
		}
		write(t, filepath.Join(merged, "new"), "x")
		if _, err := os.Stat(filepath.Join(dir, "upper", "new")); err != nil {
			t.Errorf("a new file does not arrive in the upper directory: %v", err)
		}
	})
}

func TestClassicDoesTheSame(t *testing.T) {
	private(t, func(t *testing.T) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "l1", "f"), "1")
		write(t, filepath.Join(dir, "l2", "f"), "2")
		for _, d := range []string{"upper", "work", "merged", "bound"} {
			if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		m := Mount{Type: "overlay", Source: "overlay", Options: []string{"lowerdir=" + dir + "/l2:" + dir + "/l1",
			"upperdir=" + dir + "/upper", "workdir=" + dir + "/work"}}
		if err := m.classic(filepath.Join(dir, "merged")); err != nil {
			t.Error(err)
			return
		}
		if got, _ := os.ReadFile(filepath.Join(dir, "merged", "f")); string(got) != "2" {
			t.Errorf("merged file is %q, want 2", got)
		}
		b := Mount{Type: "bind", Source: filepath.Join(dir, "merged"), Options: []string{"rbind", "ro", "rprivate"}}
		if err := b.classic(filepath.Join(dir, "bound")); err != nil {
			t.Error(err)
			return
		}
		if err := os.WriteFile(filepath.Join(dir, "bound", "g"), nil, 0o644); !errors.Is(err, unix.EROFS) {
			t.Errorf("writing through the read-only bind: %v, want EROFS", err)
		}
	})
}

func TestErrorsNameTheMountAndGiveTheKernelsReason(t *testing.T) {
	private(t, func(t *testing.T) {
		dir := t.TempDir()
		for _, c := range []struct {
			m    Mount
			kind func(error) bool
			text string
		}{
			{Mount{Type: "overlay", Source: "overlay", Options: []string{"lowerdir=" + dir + "/gone:" + dir}}, errdefs.IsNotFound, "overlay"},
			{Mount{Type: "bind", Source: dir + "/gone"}, errdefs.IsNotFound, dir + "/gone"},
			{Mount{Type: "tmpfs", Options: []string{"size=banana"}}, errdefs.IsInvalidArgument, "size=banana"},
			{Mount{Type: "nosuchfs"}, errdefs.IsNotImplemented, "nosuchfs"},
			{Mount{Type: "tmpfs", Options: []string{"a\x00b"}}, errdefs.IsInvalidArgument, "NUL"},
		} {
			err := c.m.Mount(dir)
			if !c.kind(err) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("%v: error %v; want one of the other kind that holds %q", c.m, err, c.text)
			}
		}
	})
}

func TestAllRollsBack(t *testing.T) {
	private(t, func(t *testing.T) {
		dir := t.TempDir()
		target := filepath.Join(dir, "t")
		write(t, filepath.Join(target, "below"), "")
		err := All([]Mount{{Type: "tmpfs"}, {Type: "tmpfs"}, {Type: "bind", Source: dir + "/gone"}}, target)
		if !errdefs.IsNotFound(err) {
			t.Errorf("error %v, want not found", err)
		}
		if _, err := os.Stat(filepath.Join(target, "below")); err != nil {
			t.Errorf("an earlier mount of the list stayed: %v", err)
		}
	})
}

func TestReadOnlyCopyCannotBeWritten(t *testing.T) {
	private(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "bin")
		write(t, file, "x")
		tree, err := ReadOnly(file)
		if err != nil {
			t.Error(err)
			return
		}
		defer tree.Close()
		fd, err := unix.Open(fmt.Sprintf("/proc/thread-self/fd/%d", tree.Fd()), unix.O_RDWR, 0)
		if err != unix.EROFS {
			unix.Close(fd)
			t.Errorf("open for writing through the copy: %v, want EROFS", err)
		}
	})
}

func TestOpenTreeOutlivesUnmount(t *testing.T) {
	private(t, func(t *testing.T) {
		dir := t.TempDir()
		if err := (Mount{Type: "tmpfs", Source: "tmpfs"}).Mount(dir); err != nil {
			t.Error(err)
			return
		}
		write(t, filepath.Join(dir, "f"), "kept")
		tree, err := OpenTree(dir)
		if err != nil {
			t.Error(err)
			return
		}
		defer tree.Close()
		if err := Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
		fd, err := unix.Openat(int(tree.Fd()), "f", unix.O_RDONLY, 0)
		if err != nil {
			t.Errorf("the tree is gone with its path: %v", err)
			return
		}
		unix.Close(fd)
		if err := Unmount(dir, 0); err != nil {
			t.Errorf("unmounting what is not mounted: %v", err)
		}
	})
}

func TestParseOptions(t *testing.T) {
	o, err := ParseOptions([]string{"rbind", "ro", "rro", "nosuid", "suid", "noatime", "strictatime", "rslave", "size=1m", "tmpcopyup"})
	if err != nil {
		t.Fatal(err)
	}
	if !o.Bind || !o.Recursive || !o.CopyUp {
		t.Errorf("bind, recursive, copy-up = %v, %v, %v", o.Bind, o.Recursive, o.CopyUp)
	}
	if o.Set != unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_STRICTATIME || o.Clear != unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR__ATIME {
		t.Errorf("attributes set %#x, cleared %#x", o.Set, o.Clear)
	}
	if o.RecSet != unix.MOUNT_ATTR_RDONLY || len(o.Propagation) != 1 || o.Propagation[0] != unix.MS_SLAVE|unix.MS_REC {
		t.Errorf("recursive attributes %#x, propagation %v", o.RecSet, o.Propagation)
	}
	if len(o.Data) != 1 || o.Data[0] != "size=1m" {
		t.Errorf("data %q", o.Data)
	}
}

func TestSplitLowerUndoesEscapes(t *testing.T) {
	got := splitLower(`/a\:b:/c\\d:/e`)
	if strings.Join(got, "|") != `/a:b|/c\d|/e` {
		t.Errorf("got %q", got)
	}
}
