package sparse

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestWrite writes pieces of content with zeros at every place.
func TestWrite(t *testing.T) {
	x, z := bytes.Repeat([]byte("x"), unit), make([]byte, unit)
	for name, tc := range map[string]struct {
		pieces [][]byte
		hole   bool
		most   int64 // bytes that it takes
	}{
		"nothing":          {nil, false, 0},
		"data":             {[][]byte{x, x, []byte("end")}, false, 3 * unit},
		"zeros":            {[][]byte{bytes.Repeat(z, 100)}, true, 0},
		"few zeros":        {[][]byte{z[:unit-1]}, false, unit},
		"zeros at the end": {[][]byte{x, z, z}, true, unit},
		"in the middle":    {[][]byte{bytes.Join([][]byte{x, bytes.Repeat(z, 100), x}, nil)}, false, 2 * unit},
		"begin and rest":   {[][]byte{append(bytes.Repeat(z, 50), "rest"...)}, false, unit},
		"alternating":      {[][]byte{x, z, x, z}, true, 2 * unit},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := os.Create(filepath.Join(t.TempDir(), "f"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			var want []byte
			hole := false
			for _, p := range tc.pieces {
				if hole, err = Write(int(f.Fd()), p); err != nil {
					t.Fatal(err)
				}
				want = append(want, p...)
			}
			if hole != tc.hole {
				t.Errorf("ends in a hole: %v", hole)
			}
			if err := f.Truncate(int64(len(want))); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(f.Name())
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes, %v, are not the %d that were written", len(got), err, len(want))
			}
			var st unix.Stat_t
			if err := unix.Fstat(int(f.Fd()), &st); err != nil || st.Blocks*512 > tc.most {
				t.Errorf("it takes %d bytes, %v", st.Blocks*512, err)
			}
		})
	}
}

func TestWriteFails(t *testing.T) {
	fd, err := unix.Open("/dev/full", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if _, err := Write(fd, []byte("x")); err != unix.ENOSPC {
		t.Errorf("a full disk: %v", err)
	}
}
