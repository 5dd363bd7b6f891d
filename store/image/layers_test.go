package image_test

import (
	"bytes"
	"io"
	"os"
	"testing"

	"github.com/opencontainers/go-digest"

	"berth/store/diff"
)

// TestALayerWithoutIndexGetsOne loses the index of every layer of an image, as
// if another version had unpacked it.
func TestALayerWithoutIndexGetsOne(t *testing.T) {
	st := open(t, t.TempDir())
	starter(t, st)
	img, err := st.Images.Resolve(t.Context(), "starter")
	if err != nil {
		t.Fatal(err)
	}
	list := func() (all []string) {
		tree, err := st.Images.Tree(t.Context(), img, len(img.Layers)-1)
		if err != nil {
			t.Fatal(err)
		}
		defer tree.Close()
		for u, err := range diff.Merge(tree.Indexes, "/") {
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, u.Path+" "+string(u.Kind)+" "+u.Digest.String())
		}
		return all
	}
	before := list()
	for _, l := range img.Layers {
		dirs, err := st.Snapshots.Dirs(t.Context(), l.ChainID.String())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(dirs.Index); err != nil {
			t.Fatal(err)
		}
	}
	after := list()
	if len(before) == 0 || len(after) != len(before) {
		t.Fatalf("%d entries, %d before", len(after), len(before))
	}
	for i := range after {
		if after[i] != before[i] {
			t.Errorf("%s, before %s", after[i], before[i])
		}
	}
}

// TestLayerTarIsTheDiffID writes each layer, however it came, as its diff ID says.
func TestLayerTarIsTheDiffID(t *testing.T) {
	st := open(t, t.TempDir())
	starter(t, st)
	img, err := st.Images.Resolve(t.Context(), "starter")
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range img.Layers {
		var b bytes.Buffer
		if err := st.Images.LayerTar(t.Context(), &b, l); err != nil || digest.FromBytes(b.Bytes()) != l.DiffID {
			t.Errorf("layer %d: %d bytes, %v", i, b.Len(), err)
		}
		own, err := st.Images.LayerTree(t.Context(), l.ChainID)
		if err != nil {
			t.Fatal(err)
		}
		if own.Indexes[0].Size() != l.Size {
			t.Errorf("layer %d: %d bytes of files, want %d", i, own.Indexes[0].Size(), l.Size)
		}
		own.Close()
	}
	l := img.Layers[0]
	l.Descriptor.Digest = digest.FromString("gone")
	if err := st.Images.LayerTar(t.Context(), io.Discard, l); err == nil {
		t.Error("a blob that is not there was written")
	}
}

// TestCountsAreThereAtOnce pins that looking at a new image counts nothing.
func TestCountsAreThereAtOnce(t *testing.T) {
	st := open(t, t.TempDir())
	starter(t, st)
	img, err := st.Images.Resolve(t.Context(), "starter")
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range img.Layers {
		dirs, err := st.Snapshots.Dirs(t.Context(), l.ChainID.String())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(dirs.Index, 0); err != nil {
			t.Fatal(err)
		}
		if s, err := st.Images.LayerStats(t.Context(), img, i); err != nil || s.Added+s.Modified+s.Deleted == 0 {
			t.Errorf("layer %d: %+v, %v", i, s, err)
		}
	}
}
