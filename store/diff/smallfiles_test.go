package diff

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

// TestSmallFilesInEveryOrder unpacks many files of which some are replaced,
// linked to and hidden while they may still be under way.
func TestSmallFilesInEveryOrder(t *testing.T) {
	needRoot(t)
	var entries []ent
	for i := range 300 {
		name := fmt.Sprintf("d%d/f%d", i/50, i)
		entries = append(entries, file(name, strings.Repeat(name, i)))
		switch i % 50 {
		case 10:
			entries = append(entries, hardlink(fmt.Sprintf("l%d", i), name))
		case 20:
			entries = append(entries, dir(name), file(name+"/inside", "x"))
		case 30:
			entries = append(entries, symlink(name, "elsewhere"))
		case 40:
			entries = append(entries, file(name, "again"))
		}
	}
	entries = append(entries, file("d0", "instead of a directory"), file("large", strings.Repeat("x", smallFile+1)))
	d, res, err := apply(t, archive(t, entries...))
	must(t, err)
	must(t, Verify(t.Context(), d, d+".index"))
	wantFile(t, d+"/d1/f70/inside", "x")
	wantFile(t, d+"/d1/f90", "again")
	wantFile(t, d+"/l60", strings.Repeat("d1/f60", 60))
	wantFile(t, d+"/d0", "instead of a directory")
	// The root, d0, 5 directories of 50 with one more file inside, 6 links, large.
	if want := 1 + 1 + 5*(1+50+1) + 6 + 1; res.Entries != want {
		t.Errorf("%d entries, want %d", res.Entries, want)
	}
}

// TestSmallFilesThatFail names the file that failed, not the one that came when
// it was noticed, and leaves nothing.
func TestSmallFilesThatFail(t *testing.T) {
	needRoot(t)
	d := t.TempDir()
	if err := unix.Mount("tmpfs", d, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	defer unix.Unmount(d, unix.MNT_DETACH)
	var entries []ent
	for i := range 100 {
		entries = append(entries, file(fmt.Sprintf("file%d", i), strings.Repeat("x", 20<<10)))
	}
	_, err := Apply(t.Context(), d, bytes.NewReader(archive(t, entries...)), ApplyOptions{})
	if !errors.Is(err, unix.ENOSPC) || strings.Count(err.Error(), "entry ") != 1 {
		t.Errorf("a full disk: %v", err)
	}
	if names, err := os.ReadDir(d); err != nil || len(names) > 0 {
		t.Errorf("left: %v, %v", names, err)
	}
	_, err = Apply(t.Context(), d, bytes.NewReader(archive(t, file("good", "x"), file("../bad", "x"))), ApplyOptions{})
	if !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), "../bad") {
		t.Errorf("a bad entry after a good one: %v", err)
	}
}
