package plainfile

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestCreateWriteRead(t *testing.T) {
	name := t.TempDir() + "/file"
	if err := Write(name, "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("wrote to a missing file: %v", err)
	}
	for _, size := range []int{0, 1, 4095, 4096, 4097, 1 << 20} {
		want := bytes.Repeat([]byte("x"), size)
		if err := Create(name, want, 0o640); err != nil {
			t.Fatal(err)
		}
		if got, err := Read(name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("read %d bytes of %d: %v", len(got), size, err)
		}
	}
	if st, err := os.Stat(name); err != nil || st.Mode() != 0o640 {
		t.Errorf("%v, %v", st, err)
	}
	if err := Write(name, "y"); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(name); err != nil || !bytes.HasPrefix(got, []byte("yx")) || len(got) != 1<<20 {
		t.Errorf("read %d bytes: %v", len(got), err)
	}
}

func TestErrorsNameTheFile(t *testing.T) {
	dir := t.TempDir()
	_, missing := Read(dir + "/missing")
	_, opened := Open(dir+"/missing", unix.O_PATH)
	_, isDir := Read(dir)
	for _, c := range []struct {
		err  error
		want error
		op   string
		path string
	}{
		{missing, unix.ENOENT, "open", dir + "/missing"}, {opened, unix.ENOENT, "open", dir + "/missing"}, {isDir, unix.EISDIR, "read", dir},
		{Write("/proc/self/oom_score_adj", "nonsense"), unix.EINVAL, "write", "/proc/self/oom_score_adj"}, {Create("/dev/full", []byte("x"), 0), unix.ENOSPC, "write", "/dev/full"},
	} {
		var p *os.PathError
		if !errors.Is(c.err, c.want) || !errors.As(c.err, &p) || p.Op != c.op || p.Path != c.path {
			t.Errorf("error %v, want %s %s: %v", c.err, c.op, c.path, c.want)
		}
	}
}

func TestClosesOnExec(t *testing.T) {
	f, err := Open("/proc/self/stat", unix.O_RDONLY)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("flags %d, %v", flags, err)
	}
	if b, err := Read("/proc/self/stat"); err != nil || len(b) == 0 {
		t.Errorf("a file of proc, which has no size: %q, %v", b, err)
	}
}
