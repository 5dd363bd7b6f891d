package api

import (
	"strings"
	"testing"

	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/moby/moby/api/types/image"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// docker-compose 1 finds the volumes of an image, which it keeps when it makes a container
// anew, in what docker told of the container that the image was made of.
func TestVolumesOfImagesForOldClients(t *testing.T) {
	img := image.InspectResponse{Config: &dockerspec.DockerOCIImageConfig{ImageConfig: ocispec.ImageConfig{Volumes: map[string]struct{}{"/data": {}}}}}
	for v, want := range map[version]int{{1, 44}: 2, {1, 45}: 1} {
		answer, err := imageOf(img, "", v)
		if err != nil {
			t.Fatal(err)
		}
		text, err := marshal(answer)
		if err != nil || strings.Count(string(text), `"Volumes":{"/data":{}}`) != want {
			t.Errorf("%v: %s, %v", v, text, err)
		}
	}
}
