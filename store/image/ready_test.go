package image_test

import (
	"os"
	"reflect"
	"sync"
	"testing"

	"github.com/containerd/errdefs"

	"berth/store"
	"berth/store/image"
	"berth/store/meta"
)

// changed commits a container of the starter image in which something of each
// kind was changed.
func changed(t *testing.T, st *store.Store) image.Image {
	t.Helper()
	root := container(t, st, "c", "starter")
	for _, do := range []func() error{
		func() error { return os.Mkdir(root+"/made", 0o750) },
		func() error { return os.WriteFile(root+"/made/file", []byte("by hand"), 0o600) },
		func() error { return os.Link(root+"/made/file", root+"/made/again") },
		func() error { return os.Symlink("file", root+"/made/link") },
		func() error { return os.Remove(root + "/bin/sh") },
		func() error { return os.RemoveAll(root + "/app") },
		func() error { return os.Mkdir(root+"/app", 0o755) },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	img, err := st.Images.CommitSnapshot(t.Context(), "c", image.CommitOptions{}, image.NewImage{Parent: "starter", Name: "committed"})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// unpacked tells whether the topmost layer of an image is.
func unpacked(t *testing.T, st *store.Store, img image.Image) bool {
	t.Helper()
	_, err := st.Snapshots.Stat(t.Context(), img.Layers[len(img.Layers)-1].ChainID.String())
	if err != nil && !errdefs.IsNotFound(err) {
		t.Fatal(err)
	}
	return err == nil
}

// TestCommittedLayerIsUnpackedWhenNeeded looks at a layer that was committed in
// each way that needs its files, also after a restart.
func TestCommittedLayerIsUnpackedWhenNeeded(t *testing.T) {
	for name, look := range map[string]func(*store.Store, image.Image) error{
		"unpack": func(st *store.Store, img image.Image) error {
			_, err := st.Images.Unpack(t.Context(), img.ID)
			return err
		},
		"index": func(st *store.Store, img image.Image) error {
			x, err := st.Images.Indexes(t.Context(), img, len(img.Layers)-1)
			if err == nil {
				err = x.Close()
			}
			return err
		},
		"statistics": func(st *store.Store, img image.Image) error {
			_, err := st.Images.LayerStats(t.Context(), img, len(img.Layers)-1)
			return err
		},
		"tree": func(st *store.Store, img image.Image) error {
			x, err := st.Images.Tree(t.Context(), img, len(img.Layers)-1)
			if err == nil {
				err = x.Close()
			}
			return err
		},
		"layer": func(st *store.Store, img image.Image) error {
			x, err := st.Images.LayerTree(t.Context(), img.Layers[len(img.Layers)-1].ChainID)
			if err == nil {
				err = x.Close()
			}
			return err
		},
		"file": func(st *store.Store, img image.Image) error {
			f, err := st.Images.OpenFile(t.Context(), img, len(img.Layers)-1, "/made/file")
			if err == nil {
				err = f.Close()
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			st := open(t, root)
			starter(t, st)
			img := changed(t, st)
			if unpacked(t, st, img) {
				t.Fatal("it is unpacked before anybody needs it")
			}
			if c := check(t, st, false); len(c.Faults) > 0 {
				t.Errorf("not yet unpacked: %+v", c.Faults)
			}
			var g sync.WaitGroup
			for range 3 { // all at once
				g.Go(func() {
					if err := look(st, img); err != nil {
						t.Error(err)
					}
				})
			}
			g.Wait()
			if !unpacked(t, st, img) {
				t.Error("it is not unpacked")
			}
			// What was told of the layer before is true.
			again, err := st.Images.Resolve(t.Context(), "committed")
			if err != nil || again.Size != img.Size || !reflect.DeepEqual(again.Layers, img.Layers) {
				t.Errorf("once unpacked: %+v, before: %+v, %v", again, img, err)
			}
			if c := check(t, st, false); len(c.Faults) > 0 {
				t.Errorf("unpacked: %+v", c.Faults)
			}
		})
	}
}

// TestLayerThatWasNeverUnpacked survives a restart, and leaves nothing when
// its image goes.
func TestLayerThatWasNeverUnpacked(t *testing.T) {
	root := t.TempDir()
	st := open(t, root)
	starter(t, st)
	img := changed(t, st)
	if err := st.Snapshots.Remove(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	st = open(t, root)
	again, err := st.Images.Resolve(t.Context(), "committed")
	if err != nil || again.Size != img.Size {
		t.Errorf("after a restart: %+v, %v", again, err)
	}
	if _, err := st.Images.Remove(t.Context(), "committed", removeAll); err != nil {
		t.Fatal(err)
	}
	if c := check(t, st, false); len(c.Faults) > 0 {
		t.Errorf("after it was removed: %+v", c.Faults)
	}
	layers, err := meta.NewBucket[struct{}](st.Meta, "layers")
	if err == nil {
		_, err = layers.Get(img.Layers[len(img.Layers)-1].ChainID.String())
	}
	if !errdefs.IsNotFound(err) {
		t.Errorf("the record of its layer: %v, want kind NotFound", err)
	}
}

// TestDamagedBlobOfLayerNotUnpacked makes an image unusable.
func TestDamagedBlobOfLayerNotUnpacked(t *testing.T) {
	st := open(t, t.TempDir())
	starter(t, st)
	img := changed(t, st)
	flip(t, st.Content.Path(img.Layers[len(img.Layers)-1].Descriptor.Digest))
	var what []string
	for _, f := range check(t, st, false).Faults {
		what = append(what, f.What)
	}
	if len(what) != 3 || what[0] != "blob" || what[1] != "layer" || what[2] != "image" {
		t.Errorf("faults of %v", what)
	}
	check(t, st, true)
	if _, err := st.Images.Resolve(t.Context(), "committed"); !errdefs.IsNotFound(err) {
		t.Errorf("the image is still there: %v", err)
	}
	if _, err := os.Stat(st.Content.Path(img.Layers[0].Descriptor.Digest)); err != nil {
		t.Errorf("what another image needs went as well: %v", err)
	}
}
