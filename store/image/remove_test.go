package image_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"berth/store/image"
)

func TestRemoveByRepositoryDigest(t *testing.T) {
	one := "reg:5000/one@" + digest.FromString("manifest").String()
	two := "reg:5000/two@" + digest.FromString("manifest").String()
	for _, c := range []struct {
		name    string
		tags    []string
		digests []string
		ref     string
		inUse   error
		want    string // "ID" is the image's
		left    string // what it is still called; "-" if it is gone
	}{
		{"the last tag of a repository", []string{"reg:5000/one:1", "other:1"}, []string{one}, "reg:5000/one:1", nil, "-reg:5000/one:1 -" + one, "other:1"},
		{"another tag remains there", []string{"reg:5000/one:1", "reg:5000/one:2"}, []string{one}, "reg:5000/one:1", nil, "-reg:5000/one:1", "reg:5000/one:2 " + one},
		{"a digest of another repository remains", []string{"reg:5000/one:1"}, []string{one, two}, "reg:5000/one:1", nil, "-reg:5000/one:1 -" + one, two},
		{"the last tag", []string{"reg:5000/one:1"}, []string{one}, "reg:5000/one:1", nil, "-reg:5000/one:1 -" + one + " ID", "-"},
		{"a digest beside tags", []string{"reg:5000/one:1", "other:1"}, []string{one}, one, nil, "-" + one, "other:1 reg:5000/one:1"},
		{"the last digest", nil, []string{two}, two, nil, "-" + two + " ID", "-"},
		{"a digest of several", nil, []string{one, two}, two, nil, "-" + two, one},
		{"only the names", []string{"reg:5000/one:1"}, []string{one}, "reg:5000/one:1", image.ErrNamesOnly, "-reg:5000/one:1 -" + one, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			st := open(t, t.TempDir())
			img := starter(t, st)
			layers := make([]ocispec.Descriptor, len(img.Layers))
			for i, l := range img.Layers {
				layers[i] = l.Descriptor
			}
			config, err := st.Content.Info(t.Context(), img.ID)
			if err != nil {
				t.Fatal(err)
			}
			parts := image.Parts{Config: ocispec.Descriptor{Digest: img.ID, Size: config.Size}, Layers: layers, RepoDigests: c.digests}
			if _, err := st.Images.Remove(t.Context(), "starter", image.RemoveOptions{InUse: func(digest.Digest) error { return image.ErrNamesOnly }}); err != nil {
				t.Fatal(err)
			}
			if _, err := st.Images.Register(t.Context(), parts, c.tags...); err != nil {
				t.Fatal(err)
			}
			steps, err := st.Images.Remove(t.Context(), c.ref, image.RemoveOptions{InUse: func(digest.Digest) error { return c.inUse }})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range steps {
				switch {
				case s.Untagged != "":
					got = append(got, "-"+s.Untagged)
				case s.Deleted == img.ID.String():
					got = append(got, "ID")
				}
			}
			if said := strings.Join(got, " "); said != c.want {
				t.Errorf("removed %s,\nwant    %s", said, c.want)
			}
			left := "-"
			if img, err = st.Images.Get(t.Context(), img.ID); err == nil {
				slices.Sort(img.RepoTags)
				left = strings.Join(slices.Concat(img.RepoTags, img.RepoDigests), " ")
			}
			if left != c.left {
				t.Errorf("still called %q, want %q", left, c.left)
			}
		})
	}
}
