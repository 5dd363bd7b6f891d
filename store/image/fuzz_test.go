package image

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/distribution/reference"
	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// FuzzDocuments decodes whatever the fuzzer makes of the documents of an image
// archive. What is accepted must be fit for use: digests that name files.
func FuzzDocuments(f *testing.F) {
	for _, seed := range []string{
		`{"os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:` + strings.Repeat("a", 64) + `"]},"history":[{"empty_layer":true}]}`,
		`{"schemaVersion":2,"config":{"digest":"sha256:` + strings.Repeat("b", 64) + `"},"layers":[{"digest":"sha256:x"}]}`,
		`{"manifests":[{"digest":"../../x","platform":{"os":"linux"}}]}`,
		`[{"Config":"../x","RepoTags":["a:b"],"Layers":["/x"]}]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := decodeConfig(data); err == nil {
			for _, id := range c.RootFS.DiffIDs {
				if strings.ContainsAny(id.Encoded(), "/.") {
					t.Errorf("diff ID %q is accepted", id)
				}
			}
			for _, h := range history(c, len(c.RootFS.DiffIDs)) {
				if h.Layer >= len(c.RootFS.DiffIDs) {
					t.Errorf("history of layer %d of %d", h.Layer, len(c.RootFS.DiffIDs))
				}
			}
		}
		if m, err := decodeManifest(data, ocispec.MediaTypeImageManifest); err == nil && strings.ContainsAny(m.Config.Digest.Encoded(), "/.") {
			t.Errorf("digest %q is accepted", m.Config.Digest)
		}
		decodeIndex(data)
		if items, err := decodeDockerManifest(data); err == nil {
			for _, item := range items {
				name, err := entryName(item.Config)
				if err == nil && !filepath.IsLocal(name) {
					t.Errorf("name %q is accepted", name)
				}
			}
		}
	})
}

// FuzzParseName holds that a canonical name is its own canonical name, and
// that it means the same when it is shortened.
func FuzzParseName(f *testing.F) {
	for _, seed := range []string{"busybox", "a/b:c", "localhost:5000/x", "x@sha256:" + strings.Repeat("a", 64), "UPPER", "a:b:c", "docker.io/library/x:latest", "docker.io/a.b/x:l"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		c, err := ParseName(name)
		if err != nil {
			return
		}
		for _, same := range []string{c, familiar(c)} {
			if again, err := ParseName(same); err != nil || again != c {
				t.Errorf("%q is %q, but %q is %q, %v", name, c, same, again, err)
			}
		}
		if _, err := reference.ParseNormalizedNamed(c); err != nil {
			t.Errorf("%q: %v", c, err)
		}
	})
}

// FuzzApplyChanges holds that a config stays one that can be stored.
func FuzzApplyChanges(f *testing.F) {
	for _, seed := range []string{`CMD ["a", "b"]`, "ENV a=b c='d e'", "ENV a b c", "EXPOSE 80-90/udp", `LABEL "a b"="c\"d"`, "HEALTHCHECK --retries=3 CMD x", "WORKDIR x\\\n y"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, change string) {
		var c dockerspec.DockerOCIImageConfig
		if ApplyChanges(&c, []string{change}) != nil {
			return
		}
		if _, err := json.Marshal(c); err != nil {
			t.Error(err)
		}
		for _, e := range c.Env {
			if !strings.Contains(e, "=") {
				t.Errorf("environment %q", e)
			}
		}
	})
}
