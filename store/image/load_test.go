package image_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/klauspost/compress/gzip"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"berth/store"
)

// member is a member of an image archive.
type member struct {
	name, data, link string
	kind             byte
}

func pack(t testing.TB, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		h := &tar.Header{Name: m.name, Typeflag: m.kind, Linkname: m.link, Size: int64(len(m.data)), Mode: 0o644}
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, m.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func configOf(layers ...[]byte) string {
	var ids []string
	for _, l := range layers {
		ids = append(ids, `"`+digest.FromBytes(l).String()+`"`)
	}
	return fmt.Sprintf(`{"os":"linux","architecture":"amd64","config":{"Cmd":["sh"]},"rootfs":{"type":"layers","diff_ids":[%s]}}`, strings.Join(ids, ","))
}

func dockerArchive(config, names string, layers ...string) member {
	return member{name: "manifest.json", data: fmt.Sprintf(`[{"Config":"%s","RepoTags":[%s],"Layers":["%s"]}]`, config, names, strings.Join(layers, `","`))}
}

// legacyArchive is as docker before 25 and skopeo write it: the manifest comes
// last, and a layer that is there twice is a link.
func legacyArchive(t testing.TB) []byte {
	layer := tarOf(t, "f", "one")
	return pack(t,
		member{name: "aaa/", kind: tar.TypeDir}, member{name: "aaa/VERSION", data: "1.0"}, member{name: "aaa/json", data: "{}"},
		member{name: "aaa/layer.tar", data: string(layer)},
		member{name: "bbb/layer.tar", kind: tar.TypeSymlink, link: "../aaa/layer.tar"},
		member{name: "c.json", data: configOf(layer, layer)},
		member{name: "repositories", data: "{}"},
		dockerArchive("c.json", `"legacy:1","legacy:2"`, "aaa/layer.tar", "bbb/layer.tar"),
	)
}

func blobMember(data string) member {
	return member{name: "blobs/sha256/" + digest.FromString(data).Encoded(), data: data}
}

func descOf(mediaType, data string) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromString(data), Size: int64(len(data))}
}

func jsonOf(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// ociArchive is an OCI layout with an index of two platforms and an
// attestation, and a compressed layer.
func ociArchive(t testing.TB) []byte {
	layer := tarOf(t, "f", "one")
	var gz bytes.Buffer
	w := gzip.NewWriter(&gz)
	w.Write(layer)
	w.Close()
	config := configOf(layer)
	manifest := jsonOf(t, ocispec.Manifest{
		MediaType: ocispec.MediaTypeImageManifest, Config: descOf(ocispec.MediaTypeImageConfig, config),
		Layers: []ocispec.Descriptor{descOf(ocispec.MediaTypeImageLayerGzip, gz.String())},
	})
	mine, other, attestation := descOf(ocispec.MediaTypeImageManifest, manifest), descOf(ocispec.MediaTypeImageManifest, "absent"), descOf(ocispec.MediaTypeImageManifest, "absent too")
	mine.Platform = &ocispec.Platform{OS: "linux", Architecture: "amd64"}
	other.Platform = &ocispec.Platform{OS: "linux", Architecture: "s390x"}
	attestation.Platform = &ocispec.Platform{OS: "unknown", Architecture: "unknown"}
	index := jsonOf(t, ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{other, attestation, mine}})
	top := descOf(ocispec.MediaTypeImageIndex, index)
	top.Annotations = map[string]string{"org.opencontainers.image.ref.name": "example.com/oci:1"}
	return pack(t,
		blobMember(index), blobMember(manifest), blobMember(config), blobMember(gz.String()),
		member{name: "oci-layout", data: `{"imageLayoutVersion":"1.0.0"}`},
		member{name: "index.json", data: jsonOf(t, ocispec.Index{Manifests: []ocispec.Descriptor{top}})},
	)
}

func TestLoadForms(t *testing.T) {
	for name, tc := range map[string]struct {
		data   []byte
		names  string
		layers int
	}{
		"docker, legacy": {legacyArchive(t), "legacy:1 legacy:2", 2},
		"OCI layout":     {ociArchive(t), "example.com/oci:1", 1},
	} {
		t.Run(name, func(t *testing.T) {
			st := open(t, t.TempDir())
			var gz bytes.Buffer
			w := gzip.NewWriter(&gz)
			w.Write(tc.data)
			w.Close()
			// A compressed archive, read through something that cannot seek.
			loaded, err := st.Images.Load(t.Context(), io.MultiReader(&gz))
			if err != nil || len(loaded) != 1 {
				t.Fatalf("%+v, %v", loaded, err)
			}
			img := loaded[0]
			if got := strings.Join(img.Names, " "); got != tc.names || len(img.Layers) != tc.layers {
				t.Errorf("names %q, %d layers", got, len(img.Layers))
			}
			if got := readFile(t, st, img.Image, tc.layers-1, "/f"); got != "one" {
				t.Errorf("file: %q", got)
			}
			if name == "OCI layout" && img.Manifest == nil {
				t.Error("the manifest is not kept")
			}
			// Nothing but what the image needs was kept of the archive.
			for _, n := range img.Names {
				if _, err := st.Images.Remove(t.Context(), n, removeAll); err != nil {
					t.Fatal(err)
				}
			}
			wantNothing(t, st)
		})
	}
}

func wantNothing(t testing.TB, st *store.Store) {
	t.Helper()
	if blobs, snaps := contents(t, st); blobs != 0 || snaps != 0 {
		t.Errorf("%d blobs and %d snapshots are left", blobs, snaps)
	}
	if all, err := st.Images.List(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("images are left: %+v, %v", all, err)
	}
}

// ociOf is an archive whose manifest was changed, with digests that fit.
func ociOf(t testing.TB, change func(manifest map[string]any)) []byte {
	t.Helper()
	layer := tarOf(t, "f", "one")
	config := configOf(layer)
	good := jsonOf(t, ocispec.Manifest{
		MediaType: ocispec.MediaTypeImageManifest, Config: descOf(ocispec.MediaTypeImageConfig, config),
		Layers: []ocispec.Descriptor{descOf(ocispec.MediaTypeImageLayer, string(layer))},
	})
	var m map[string]any
	if err := json.Unmarshal([]byte(good), &m); err != nil {
		t.Fatal(err)
	}
	change(m)
	manifest := jsonOf(t, m)
	return pack(t, blobMember(manifest), blobMember(config), blobMember(string(layer)),
		member{name: "index.json", data: jsonOf(t, ocispec.Index{Manifests: []ocispec.Descriptor{descOf(ocispec.MediaTypeImageManifest, manifest)}})})
}

func TestLoadRefuses(t *testing.T) {
	layer := tarOf(t, "f", "one")
	evil := tarOf(t, "../evil", "x")
	config := configOf(layer)
	good := []member{{name: "l.tar", data: string(layer)}, {name: "c.json", data: config}, dockerArchive("c.json", `"good:1"`, "l.tar")}
	whole := pack(t, good...)
	with := func(m ...member) []byte { return pack(t, append(m, good...)...) }
	for name, data := range map[string][]byte{
		"nothing":                       {},
		"no manifest":                   pack(t, member{name: "x", data: "y"}),
		"noise":                         bytes.Repeat([]byte("noise and no tar "), 100),
		"cut in a layer":                whole[:1000],
		"cut before the end marker":     whole[:len(whole)-1024],
		"cut before the manifest":       whole[:len(whole)-2048],
		"dot dot":                       with(member{name: "../evil", data: "x"}),
		"absolute":                      with(member{name: "/evil", data: "x"}),
		"link out":                      with(member{name: "a/layer.tar", kind: tar.TypeSymlink, link: "../../etc/passwd"}),
		"absolute link":                 with(member{name: "a/layer.tar", kind: tar.TypeSymlink, link: "/etc/passwd"}),
		"link that is no layer":         with(member{name: "c.json", kind: tar.TypeSymlink, link: "x"}),
		"hard link":                     with(member{name: "h", kind: tar.TypeLink, link: "l.tar"}),
		"device":                        with(member{name: "d", kind: tar.TypeChar}),
		"blob with another digest":      with(member{name: "blobs/sha256/" + digest.FromString("a").Encoded(), data: "b"}),
		"blob without a digest":         with(member{name: "blobs/sha256/../../x", data: "b"}, member{name: "blobs/sha256/short", data: "b"}),
		"layer missing":                 pack(t, good[1:]...),
		"config missing":                pack(t, good[0], good[2]),
		"config outside":                pack(t, good[0], good[1], dockerArchive("../../etc/passwd", "", "l.tar")),
		"layer through a missing link":  pack(t, good[1], member{name: "a/layer.tar", kind: tar.TypeSymlink, link: "../x"}, dockerArchive("c.json", "", "a/layer.tar")),
		"more layers than diff IDs":     pack(t, good[0], good[1], dockerArchive("c.json", "", "l.tar", "l.tar")),
		"diff ID of something else":     pack(t, good[0], member{name: "c.json", data: configOf(evil)}, good[2]),
		"hostile layer":                 pack(t, member{name: "l.tar", data: string(evil)}, member{name: "c.json", data: configOf(evil)}, good[2]),
		"config that is no JSON":        pack(t, good[0], member{name: "c.json", data: "{"}, good[2]),
		"manifest that is no JSON":      pack(t, good[0], good[1], member{name: "manifest.json", data: "[{"}),
		"manifest that is empty":        pack(t, good[0], good[1], member{name: "manifest.json", data: "[]"}),
		"bad name":                      pack(t, good[0], good[1], dockerArchive("c.json", `"Not A Name"`, "l.tar")),
		"name with a digest":            pack(t, good[0], good[1], dockerArchive("c.json", `"x@`+digest.FromString("x").String()+`"`, "l.tar")),
		"image of another system":       pack(t, good[0], member{name: "c.json", data: strings.Replace(config, "linux", "windows", 1)}, good[2]),
		"index of nothing":              pack(t, member{name: "index.json", data: `{"manifests":[]}`}),
		"index of a missing manifest":   pack(t, member{name: "index.json", data: jsonOf(t, ocispec.Index{Manifests: []ocispec.Descriptor{descOf(ocispec.MediaTypeImageManifest, "x")}})}),
		"index with a bad digest":       pack(t, member{name: "index.json", data: `{"manifests":[{"mediaType":"` + ocispec.MediaTypeImageManifest + `","digest":"sha256:../../x"}]}`}),
		"manifest of unknown type":      pack(t, blobMember("x"), member{name: "index.json", data: jsonOf(t, ocispec.Index{Manifests: []ocispec.Descriptor{descOf("text/plain", "x")}})}),
		"manifest that is an index too": ociOf(t, func(m map[string]any) { m["manifests"] = []string{} }),
		"manifest of schema 1, too":     ociOf(t, func(m map[string]any) { m["fsLayers"] = []string{} }),
		"manifest of another type":      ociOf(t, func(m map[string]any) { m["mediaType"] = ocispec.MediaTypeImageIndex }),
		"layer of another size":         ociOf(t, func(m map[string]any) { m["layers"].([]any)[0].(map[string]any)["size"] = 5 }),
		"layer of a negative size":      ociOf(t, func(m map[string]any) { m["layers"].([]any)[0].(map[string]any)["size"] = -1 }),
		"config of another size":        ociOf(t, func(m map[string]any) { m["config"].(map[string]any)["size"] = 5 }),
		"more layers than can be":       pack(t, good[0], member{name: "c.json", data: configOf(slices.Repeat([][]byte{layer}, 501)...)}, dockerArchive("c.json", "", slices.Repeat([]string{"l.tar"}, 501)...)),
		"good image, then a broken one": pack(t, good[0], good[1], member{name: "manifest.json", data: `[{"Config":"c.json","RepoTags":["good:1"],"Layers":["l.tar"]},{"Config":"c.json","Layers":[]}]`}),
	} {
		t.Run(name, func(t *testing.T) {
			st := open(t, t.TempDir())
			if _, err := st.Images.Load(t.Context(), bytes.NewReader(data)); !errdefs.IsInvalidArgument(err) {
				t.Errorf("%v, want kind InvalidArgument", err)
			}
			wantNothing(t, st)
		})
	}
}

func TestLoadTakesNamesOver(t *testing.T) {
	st := open(t, t.TempDir())
	layer := tarOf(t, "f", "two")
	before, err := st.Images.Load(t.Context(), bytes.NewReader(legacyArchive(t)))
	if err != nil {
		t.Fatal(err)
	}
	after, err := st.Images.Load(t.Context(), bytes.NewReader(pack(t, member{name: "l", data: string(layer)}, member{name: "c", data: configOf(layer)}, dockerArchive("c", `"legacy:1"`, "l"))))
	if err != nil {
		t.Fatal(err)
	}
	old, err := st.Images.Get(t.Context(), before[0].ID)
	if err != nil || strings.Join(old.RepoTags, " ") != "legacy:2" {
		t.Errorf("the image that had the name: %v, %v", old.RepoTags, err)
	}
	now, err := st.Images.Resolve(t.Context(), "legacy:1")
	if err != nil || now.ID != after[0].ID {
		t.Errorf("%s, %v", now.ID, err)
	}
}

// TestLoadUnpacksWhatNobodyCanPlaceYet has layers that need the ones below,
// which come later, are there twice, or are none.
func TestLoadUnpacksWhatNobodyCanPlaceYet(t *testing.T) {
	st := open(t, t.TempDir())
	layers := threeLayers(t)
	config := configOf(layers[0], layers[1], layers[2], layers[1])
	members := []member{
		{name: "c/layer.tar", data: string(layers[2])}, {name: "b/layer.tar", data: string(layers[1])}, {name: "d/layer.tar", data: string(layers[1])},
		{name: "stray.tar", data: string(tarOf(t, "stray", "file"))}, {name: "junk.gz", data: "\x1f\x8b" + strings.Repeat("junk", 1000)},
		{name: "a/layer.tar", data: string(layers[0])}, {name: "c.json", data: config},
		dockerArchive("c.json", `"placed:1"`, "a/layer.tar", "b/layer.tar", "c/layer.tar", "d/layer.tar"),
	}
	for range 2 { // the second time all is there
		loaded, err := st.Images.Load(t.Context(), bytes.NewReader(pack(t, members...)))
		if err != nil {
			t.Fatal(err)
		}
		checkThree(t, st, loaded[0].Image)
		if blobs, snaps := contents(t, st); blobs != 4 || snaps != 4 {
			t.Errorf("%d blobs and %d snapshots; want config, three layers and four snapshots", blobs, snaps)
		}
	}
}
