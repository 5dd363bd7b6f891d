package diff

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"

	"berth/store/deeptest"
	"berth/store/remove"
)

// deepTree makes directories called d in each other, and a file in each.
func deepTree(t *testing.T, depth int) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "deep")
	must(t, os.Mkdir(dir, 0o755))
	t.Cleanup(func() { must(t, remove.All(dir)) }) // t.TempDir cannot
	deeptest.Chain(t, dir, depth, func(at, _ int) error { return unix.Mknodat(at, "file", unix.S_IFREG|0o600, 0) })
	return dir
}

// openNow counts the descriptors of this process.
func openNow(t *testing.T) int {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(fds)
}

// TestDeepTrees goes down where no path leads, with all that walks through trees.
func TestDeepTrees(t *testing.T) {
	needRoot(t)
	deep, empty := deepTree(t, 3*maxDepth), t.TempDir()
	open, err := os.Open(deep)
	must(t, err)
	defer open.Close()
	target := func() string {
		dir := filepath.Join(t.TempDir(), "target")
		must(t, os.Mkdir(dir, 0o755))
		t.Cleanup(func() { must(t, remove.All(dir)) })
		return dir
	}
	for name, walk := range map[string]func(ctx context.Context) error{
		"changes": func(ctx context.Context) error {
			told := 0
			for _, err := range new(Comparer).Changes(ctx, deep, []string{empty}) {
				if err != nil {
					return err
				}
				if told++; told > 2*maxPath {
					return errors.New("there is no end")
				}
			}
			return nil
		},
		"layer": func(ctx context.Context) error { return WriteTar(ctx, io.Discard, deep, TarOptions{Layer: true}) },
		"tar":   func(ctx context.Context) error { return WriteTar(ctx, io.Discard, deep, TarOptions{Root: true}) },
		"path":  func(ctx context.Context) error { return WriteTarPath(ctx, io.Discard, open, "/d", TarOptions{}) },
		"copy":  func(ctx context.Context) error { return CopyTree(ctx, open, target()) },
		"scan": func(ctx context.Context) error {
			_, err := Scan(ctx, deep, t.TempDir(), nil)
			return err
		},
		"delta": func(ctx context.Context) error { return Delta(ctx, deep, []string{empty}, time.Time{}, target()) },
	} {
		t.Run(name, func(t *testing.T) {
			before := openNow(t)
			err := walk(t.Context())
			if !errdefs.IsInvalidArgument(err) || len(err.Error()) > 1000 {
				t.Errorf("%v", err)
			}
			if now := openNow(t); now != before {
				t.Errorf("%d descriptors, %d before", now, before)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := walk(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("given up: %v", err)
			}
		})
	}
}

// TestDeepLayers has levels and layers enough for more descriptors than a process may have.
func TestDeepLayers(t *testing.T) {
	needRoot(t)
	const depth = 500
	one := deepTree(t, depth)
	var lower []string
	for range maxOpen/depth + 1 {
		lower = append(lower, one)
	}
	walk := func(lower []string) (err error) {
		for _, err = range new(Comparer).Changes(t.Context(), deepTree(t, depth), lower) {
		}
		return err
	}
	if err := walk(lower); !errdefs.IsInvalidArgument(err) || !strings.Contains(fmt.Sprint(err), "open directories") {
		t.Errorf("%v", err)
	}
	if err := walk(lower[:3]); err != nil {
		t.Error(err)
	}
}
