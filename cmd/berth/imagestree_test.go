package main

import (
	"strings"
	"testing"

	"github.com/moby/moby/api/types/image"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestImagesTree(t *testing.T) {
	manifest := func(arch string, here bool, containers ...string) image.ManifestSummary {
		m := image.ManifestSummary{ID: "sha256:" + strings.Repeat(arch[:1], 64), Kind: image.ManifestKindImage, Available: here, ImageData: &image.ImageProperties{
			Platform: ocispec.Platform{OS: "linux", Architecture: arch}, Containers: containers,
		}}
		if here {
			m.Size.Content, m.Size.Total = 2000, 5000
		}
		return m
	}
	images := []image.Summary{
		{ID: "sha256:" + strings.Repeat("1", 64), RepoTags: []string{"b:2", "a:1"}, Size: 5000, Containers: -1, Manifests: []image.ManifestSummary{
			manifest("arm64", false), manifest("amd64", true, "c"), {Kind: image.ManifestKindAttestation},
		}},
		{ID: "sha256:" + strings.Repeat("2", 64), Size: 7, Containers: 1},
	}
	var b strings.Builder
	if err := imagesTree(&b, images, false); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(b.String()) {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	want := `IMAGE ID DISK USAGE CONTENT SIZE EXTRA
a:1 111111111111 5kB 2kB U
b:2
├─ linux/amd64 aaaaaaaaaaaa 5kB 2kB U
└─ linux/arm64 aaaaaaaaaaaa 0B 0B
<untagged> 222222222222 7B 0B U`
	if s := strings.Join(got, "\n"); s != want {
		t.Errorf("got\n%s\nwant\n%s", s, want)
	}
}
