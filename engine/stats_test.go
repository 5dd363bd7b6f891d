package engine

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestNumbers(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "usage"), []byte("12 0 18446744073709551615 \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "text"), []byte("12 many\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := numbers(dir, "usage"); !slices.Equal(got, []uint64{12, 0, 1<<64 - 1}) {
		t.Errorf("got %d", got)
	}
	for _, none := range [][]uint64{numbers(dir, "text"), numbers(dir, "none"), numbers("", "usage")} {
		if none != nil {
			t.Errorf("got %d", none)
		}
	}
}
