package procfs

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"berth/runtime/nsenter"
	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

// private runs f on a thread with mounts, and kernel.msg* sysctls, of its own.
func private(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("mounting needs root")
	}
	err := nsenter.Builder(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_NEWIPC); err != nil {
			return err
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return err
		}
		f(t)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// bothWays runs f with and without openat2.
func bothWays(t *testing.T, f func(t *testing.T)) {
	t.Run("openat2", f)
	openat2 = func(int, string, *unix.OpenHow) (int, error) { return -1, unix.ENOSYS }
	defer func() { openat2 = unix.Openat2 }()
	t.Run("walk", f)
}

func TestRootIsProc(t *testing.T) {
	private(t, func(t *testing.T) {
		if f, err := root(t.TempDir()); !errdefs.IsFailedPrecondition(err) {
			t.Errorf("a directory passes for proc: %v, %v", f, err)
		}
		// A part of a proc has the magic number, too.
		if f, err := root("/proc/sys"); !errdefs.IsFailedPrecondition(err) {
			t.Errorf("/proc/sys passes for proc: %v, %v", f, err)
		}
		if err := unix.Mount("tmpfs", "/proc", "tmpfs", 0, ""); err != nil {
			t.Error(err)
			return
		}
		if f, err := Root(); !errdefs.IsFailedPrecondition(err) {
			t.Errorf("a tmpfs passes for proc: %v, %v", f, err)
		}
	})
}

// TestNothingMountedOver is the redirection of CVE-2025-52881: the file to be
// written is covered by another one of the same proc.
func TestNothingMountedOver(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		private(t, func(t *testing.T) {
			const target, decoy = "/proc/sys/kernel/msgmni", "/proc/sys/kernel/msgmax"
			before, err := os.ReadFile(decoy)
			if err == nil {
				err = unix.Mount(decoy, target, "", unix.MS_BIND, "")
			}
			if err == nil {
				err = unix.Mount("tmpfs", "/proc/sys/net", "tmpfs", 0, "")
			}
			if err == nil {
				err = os.WriteFile("/proc/sys/net/fake", nil, 0o600)
			}
			proc, rerr := Root()
			if err = errors.Join(err, rerr); err != nil {
				t.Error(err)
				return
			}
			defer proc.Close()
			for _, name := range []string{"sys/kernel/msgmni", "sys/net/fake"} {
				if err := Write(proc, name, "1"); !errors.Is(err, unix.EXDEV) {
					t.Errorf("write to the covered %s: %v, want EXDEV", name, err)
				}
			}
			if after, err := os.ReadFile(decoy); err != nil || string(after) != string(before) {
				t.Errorf("%s is %q, was %q, %v", decoy, after, before, err)
			}
		})
	})
}

func TestOpenStaysInProc(t *testing.T) {
	bothWays(t, func(t *testing.T) {
		proc, err := Root()
		if err != nil {
			t.Fatal(err)
		}
		defer proc.Close()
		for name, want := range map[string]error{
			"self/exe": unix.ELOOP, "self/cwd/x": unix.ELOOP, "self/root/etc": unix.ELOOP, "../etc/passwd": unix.EXDEV, "no/such": unix.ENOENT,
		} {
			if _, err := Open(proc, name, unix.O_RDONLY); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", name, err, want)
			}
		}
		for _, name := range []string{"self/status", "thread-self/status", "sys/kernel/ostype"} {
			f, err := Open(proc, name, unix.O_RDONLY)
			if err != nil {
				t.Error(err)
				continue
			}
			f.Close()
		}
	})
}

func TestWriteReportsTheKernelsAnswer(t *testing.T) {
	proc, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	defer proc.Close()
	if err := Write(proc, "self/oom_score_adj", "fish"); !errors.Is(err, unix.EINVAL) || !strings.Contains(err.Error(), "/proc/self/oom_score_adj") {
		t.Errorf("error %v, want EINVAL with the file's name", err)
	}
}

func TestReopen(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(name, unix.O_PATH, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	proc, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	defer proc.Close()
	if err := os.Rename(name, name+"2"); err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	again, err := Reopen(proc, f, unix.O_RDONLY, name)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	buf := make([]byte, 10)
	if n, err := again.Read(buf); err != nil || string(buf[:n]) != "text" {
		t.Errorf("read %q, %v", buf[:n], err)
	}
}

// TestNewIsAnother pins that what New makes is a proc, writes what the thread's namespaces
// have, and is covered by nothing that is mounted over /proc.
func TestNewIsAnother(t *testing.T) {
	private(t, func(t *testing.T) {
		if err := unix.Mount("tmpfs", "/proc/sys", "tmpfs", unix.MS_RDONLY, ""); err != nil {
			t.Error(err)
			return
		}
		bothWays(t, func(t *testing.T) {
			proc, err := New()
			if err != nil {
				t.Error(err)
				return
			}
			defer proc.Close()
			if err := Write(proc, "sys/kernel/msgmax", "4321"); err != nil {
				t.Error(err)
			}
			f, err := Open(proc, "sys/kernel/msgmax", unix.O_RDONLY)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			if b, err := io.ReadAll(f); err != nil || strings.TrimSpace(string(b)) != "4321" {
				t.Errorf("it holds %q, %v", b, err)
			}
		})
	})
}
