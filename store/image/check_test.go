package image_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"

	"berth/store"
	"berth/store/image"
	"berth/store/meta"
)

func check(t *testing.T, st *store.Store, repair bool) image.Checked {
	t.Helper()
	c, err := st.Images.Check(t.Context(), repair)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// flip changes a byte in the middle of a file, leaving its times alone.
func flip(t *testing.T, path string) {
	t.Helper()
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)/2] ^= 1
	// In place: the store's files are not to be replaced.
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err == nil {
		_, err = f.Write(data)
	}
	if err := errors.Join(err, f.Close(), os.Chtimes(path, fi.ModTime(), fi.ModTime())); err != nil {
		t.Fatal(err)
	}
}

func TestCheckFindsAndMends(t *testing.T) {
	type scene struct {
		st   *store.Store
		img  image.Image
		root string
	}
	upper := func(t *testing.T, s scene, layer int) string {
		dirs, err := s.st.Snapshots.Dirs(t.Context(), s.img.Layers[layer].ChainID.String())
		if err != nil {
			t.Fatal(err)
		}
		return dirs.Upper
	}
	for name, tc := range map[string]struct {
		spoil func(t *testing.T, s scene)
		what  string // of the first fault
		says  string
		stays bool // the image, after the repair
	}{
		"a blob of a layer":  {func(t *testing.T, s scene) { flip(t, s.st.Content.Path(s.img.Layers[1].Descriptor.Digest)) }, "blob", "has the content", true},
		"no blob of a layer": {func(t *testing.T, s scene) { os.Remove(s.st.Content.Path(s.img.Layers[0].Descriptor.Digest)) }, "blob", "is gone", true},
		"the config":         {func(t *testing.T, s scene) { flip(t, s.st.Content.Path(s.img.ID)) }, "blob", "has the content", false},
		"a file of a layer":  {func(t *testing.T, s scene) { flip(t, upper(t, s, 0)+"/etc/motd") }, "layer", "/etc/motd has the content", true},
		"a file is gone":     {func(t *testing.T, s scene) { os.Remove(upper(t, s, 2) + "/app/data") }, "layer", "/app/data is missing", true},
		"an index":           {func(t *testing.T, s scene) { flip(t, filepath.Join(upper(t, s, 3), "../index")) }, "layer", "checksum", true},
		"no index":           {func(t *testing.T, s scene) { os.Remove(filepath.Join(upper(t, s, 3), "../index")) }, "layer", "no such file", true},
		"a layer is gone":    {func(t *testing.T, s scene) { os.RemoveAll(upper(t, s, 1)) }, "layer", "no such file", true},
		"a layer and its blob": {func(t *testing.T, s scene) {
			flip(t, upper(t, s, 0)+"/etc/motd")
			flip(t, s.st.Content.Path(s.img.Layers[0].Descriptor.Digest))
		}, "blob", "has the content", false},
		"a stray blob":     {func(t *testing.T, s scene) { os.WriteFile(s.st.Content.Path(digest.FromString("x")), nil, 0o600) }, "leftover", "no record", true},
		"a stray snapshot": {func(t *testing.T, s scene) { os.Mkdir(filepath.Join(s.root, "snapshots", "stray"), 0o700) }, "leftover", "no record", true},
		"a name of nothing": {func(t *testing.T, s scene) {
			b, err := meta.NewBucket[digest.Digest](s.st.Meta, "tags")
			if err == nil {
				err = b.Put("docker.io/library/ghost:latest", digest.FromString("ghost"))
			}
			if err != nil {
				t.Fatal(err)
			}
		}, "name", "there is no image", true},
		"a record of nothing": {func(t *testing.T, s scene) {
			b, err := meta.NewBucket[struct{}](s.st.Meta, "layers")
			if err == nil {
				err = b.Put(digest.FromString("ghost").String(), struct{}{})
			}
			if err != nil {
				t.Fatal(err)
			}
		}, "record", "no such layer", true},
	} {
		t.Run(name, func(t *testing.T) {
			s := scene{root: t.TempDir()}
			s.st = open(t, s.root)
			s.img = starter(t, s.st)
			if c := check(t, s.st, false); len(c.Faults) != 0 || c.Layers != 4 || c.Images != 4 || c.Blobs != 8 {
				t.Fatalf("a good store: %+v", c)
			}
			tc.spoil(t, s)
			for _, repair := range []bool{false, true} {
				c := check(t, s.st, repair)
				if len(c.Faults) == 0 {
					t.Fatal("found nothing")
				}
				f := c.Faults[0]
				if f.What != tc.what || !strings.Contains(f.Err.Error(), tc.says) || (f.Mended != "") != repair {
					t.Errorf("repair %v: %+v", repair, f)
				}
				if tc.what == "blob" || tc.what == "layer" {
					if !strings.Contains(strings.Join(f.Images, " "), "starter:latest") {
						t.Errorf("needed by %v", f.Images)
					}
				}
			}
			_, err := s.st.Images.Resolve(t.Context(), "starter:latest")
			if tc.stays != (err == nil) || err != nil && !errdefs.IsNotFound(err) {
				t.Errorf("the image after the repair: %v", err)
			}
			if tc.stays {
				if got := readFile(t, s.st, s.img, 1, "/etc/motd"); got != "hello" {
					t.Errorf("a file after the repair: %q", got)
				}
			}
			// What is still said is that the blob of a layer is missing.
			for _, f := range check(t, s.st, true).Faults {
				if f.What != "blob" || !tc.stays || tc.what != "blob" {
					t.Errorf("after the repair: %+v", f)
				}
			}
		})
	}
}

func TestCheckEndsWithItsContext(t *testing.T) {
	st := open(t, t.TempDir())
	starter(t, st)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := st.Images.Check(ctx, true); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled check: %v", err)
	}
	if c := check(t, st, false); len(c.Faults) != 0 {
		t.Errorf("after it: %v", c.Faults)
	}
}
