package store

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sync/errgroup"

	"berth/store/image"
)

func needRoot(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("owners, devices and trusted xattrs of layers need root")
	}
}

func openStore(root string) (*Store, error) {
	return Open(context.Background(), root, Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
}

// layerTar is a layer of n files that is the same for the same seed.
func layerTar(seed, n int) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := range n {
		data := strings.Repeat(fmt.Sprint(seed, i), 500)
		w.WriteHeader(&tar.Header{Name: fmt.Sprintf("dir%d/file%d", i%5, i), Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(data))})
		io.WriteString(w, data)
	}
	w.Close()
	return b.Bytes()
}

// archiveOf is an image archive of layers that it shares with others.
func archiveOf(n int) []byte {
	var layers [][]byte
	for i := range n {
		layers = append(layers, layerTar(i, 40))
	}
	return archiveOfLayers(fmt.Sprintf("image:%d", n), layers...)
}

func archiveOfLayers(name string, layers ...[]byte) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	put := func(name string, data []byte) {
		w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(data))})
		w.Write(data)
	}
	var ids, names []string
	for i, l := range layers {
		put(fmt.Sprintf("%d.tar", i), l)
		ids, names = append(ids, fmt.Sprintf("%q", digest.FromBytes(l))), append(names, fmt.Sprintf(`"%d.tar"`, i))
	}
	put("c.json", fmt.Appendf(nil, `{"os":"linux","rootfs":{"type":"layers","diff_ids":[%s]}}`, strings.Join(ids, ",")))
	put("manifest.json", fmt.Appendf(nil, `[{"Config":"c.json","RepoTags":[%q],"Layers":[%s]}]`, name, strings.Join(names, ",")))
	w.Close()
	return b.Bytes()
}

// verify reads everything that is in a store again.
func verify(t *testing.T, st *Store) {
	t.Helper()
	c, err := st.Images.Check(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range c.Faults {
		t.Errorf("%s %s: %v", f.What, f.ID, f.Err)
	}
}

// wantNothing removes all images and checks that the disk is given back.
func wantNothing(t *testing.T, st *Store, root string) {
	t.Helper()
	all, err := st.Images.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for len(all) > 0 {
		removed := 0
		for _, img := range all {
			switch _, err := st.Images.Remove(t.Context(), img.ID.String(), image.RemoveOptions{Force: true}); {
			case err == nil:
				removed++
			case !errors.Is(err, image.ErrHasChildren):
				t.Error(err)
			}
		}
		if all, err = st.Images.List(t.Context()); err != nil || removed == 0 {
			t.Fatalf("%d images stay, %v", len(all), err)
		}
	}
	for _, dir := range []string{"content/blobs/sha256", "content/ingests", "snapshots"} {
		left, err := os.ReadDir(filepath.Join(root, dir))
		if err != nil || len(left) != 0 {
			t.Errorf("left in %s: %v, %v", dir, left, err)
		}
	}
}

// TestManyAtOnce loads and removes images that share layers from several
// goroutines.
func TestManyAtOnce(t *testing.T) {
	needRoot(t)
	root := t.TempDir()
	st, err := openStore(root)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	var g errgroup.Group
	for w := range 4 {
		g.Go(func() error {
			for i := range 6 {
				n := 1 + (w+i)%4
				if _, err := st.Images.Load(t.Context(), bytes.NewReader(archiveOf(n))); err != nil {
					return err
				}
				_, err := st.Images.Remove(t.Context(), fmt.Sprintf("image:%d", 1+i%4), image.RemoveOptions{})
				if err != nil && !errdefs.IsNotFound(err) {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	verify(t, st)
	wantNothing(t, st, root)
}

func TestSecondOpenIsUnavailable(t *testing.T) {
	root := t.TempDir()
	st, err := openStore(root)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if _, err := openStore(root); !errdefs.IsUnavailable(err) {
		t.Errorf("%v, want kind Unavailable", err)
	}
}

// TestLostLayerIsUnpackedAnew loses the directory of a layer, as a damaged
// file system may, below a container.
func TestLostLayerIsUnpackedAnew(t *testing.T) {
	needRoot(t)
	root := t.TempDir()
	st, err := openStore(root)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := st.Images.Load(t.Context(), bytes.NewReader(archiveOf(2)))
	if err != nil {
		t.Fatal(err)
	}
	top := loaded[0].Layers[1].ChainID.String()
	if _, err := st.Snapshots.Prepare(t.Context(), "container", top); err != nil {
		t.Fatal(err)
	}
	dirs, err := st.Snapshots.Dirs(t.Context(), top)
	if err != nil {
		t.Fatal(err)
	}
	st.Close()
	if err := os.RemoveAll(filepath.Dir(dirs.Upper)); err != nil {
		t.Fatal(err)
	}
	if st, err = openStore(root); err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if _, err := st.Snapshots.Mounts(t.Context(), "container"); !errdefs.IsNotFound(err) {
		t.Errorf("mounts on a lost layer: %v, want kind NotFound", err)
	}
	if _, err := st.Images.Unpack(t.Context(), loaded[0].ID); err != nil {
		t.Error(err)
	}
	verify(t, st)
	if m, err := st.Snapshots.Mounts(t.Context(), "container"); err != nil || len(m) != 1 {
		t.Errorf("mounts once it is back: %v, %v", m, err)
	}
}

func TestRootsThatOverlayCannotName(t *testing.T) {
	for _, name := range []string{"a:b", `a\b`} {
		root := filepath.Join(t.TempDir(), name)
		if _, err := openStore(root); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%s: %v, want kind InvalidArgument", name, err)
		}
		if _, err := os.Stat(root); !os.IsNotExist(err) {
			t.Errorf("%s was made", name)
		}
	}
}

// TestDiskFull unpacks into a file system that is too small.
// smallDisk is a file system of 3 MB that is unmounted at the end.
func smallDisk(t *testing.T) (root string) {
	t.Helper()
	needRoot(t)
	root = t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=3m", "none", root).CombinedOutput(); err != nil {
		t.Skipf("cannot mount a small file system: %v\n%s", err, out)
	}
	t.Cleanup(func() { exec.Command("umount", root).Run() })
	return root
}

// TestDiskFull fills the disk in each way an image comes. The error says so,
// the image is absent, and the space is given back.
func TestDiskFull(t *testing.T) {
	pulled := func(n int) image.Incoming {
		in, err := remoteOf(layerTar(1, n), layerTar(2, n))
		if err != nil {
			t.Fatal(err)
		}
		return in
	}
	for name, add := range map[string]func(st *Store, name string, n int) error{
		"import": func(st *Store, name string, n int) error {
			_, err := st.Images.Import(t.Context(), bytes.NewReader(layerTar(1, n)), image.NewImage{Name: name})
			return err
		},
		"load": func(st *Store, name string, n int) error {
			_, err := st.Images.Load(t.Context(), bytes.NewReader(archiveOfLayers(name, layerTar(1, n), layerTar(2, n))))
			return err
		},
		"pull": func(st *Store, name string, n int) error {
			_, err := st.Images.Receive(t.Context(), pulled(n), name)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := smallDisk(t)
			st, err := openStore(root)
			if err != nil {
				t.Fatal(err)
			}
			defer st.Close()
			if err := add(st, "big:1", 2500); err == nil || !strings.Contains(err.Error(), "no space left on device") {
				t.Errorf("%v, want one that says the disk is full", err)
			}
			if _, err := st.Images.Resolve(t.Context(), "big:1"); !errdefs.IsNotFound(err) {
				t.Errorf("the image is there: %v", err)
			}
			wantNothing(t, st, root)
			if err := add(st, "small:1", 10); err != nil {
				t.Errorf("after space was given back: %v", err)
			}
			verify(t, st)
		})
	}
}
