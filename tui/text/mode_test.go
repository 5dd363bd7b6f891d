package text

import (
	"io/fs"
	"testing"
)

func TestModeIsWhatLsWrites(t *testing.T) {
	for want, m := range map[string]fs.FileMode{
		"-rw-r--r--": 0o644,
		"drwxrwxrwt": fs.ModeDir | fs.ModeSticky | 0o777,
		"-rwsr-xr-x": fs.ModeSetuid | 0o755,
		"-rw-r-Sr--": fs.ModeSetgid | 0o644,
		"lrwxrwxrwx": fs.ModeSymlink | 0o777,
		"crw-rw-rw-": fs.ModeDevice | fs.ModeCharDevice | 0o666,
		"brw-rw----": fs.ModeDevice | 0o660,
		"prw-------": fs.ModeNamedPipe | 0o600,
		"srwxr-xr-x": fs.ModeSocket | 0o755,
	} {
		if got := Mode(m); got != want {
			t.Errorf("%v is %s instead of %s", m, got, want)
		}
	}
}
