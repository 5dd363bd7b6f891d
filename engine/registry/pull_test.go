package registry

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func (r *rig) blobs() (n int) {
	r.t.Helper()
	err := r.store.Content.Walk(r.t.Context(), func(content.Info) error { n++; return nil })
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

// three is an image with a layer of each compression.
func three(t *testing.T) picture {
	return picture{
		layers:   [][]byte{tarOf(t, "a", "one"), tarOf(t, "b", strings.Repeat("two", 100_000)), tarOf(t, "c", "three")},
		compress: []string{"gzip", "zstd", "none"},
	}
}

func TestPullSaysWhatDockerSays(t *testing.T) {
	f, r := newFake(t), newRig(t, Config{})
	img := three(t)
	desc := f.image("1", img)
	m := f.manifestOf(img)
	name := f.host + "/team/app:1"
	if err := r.pull(name, PullOptions{}); err != nil {
		t.Fatal(err)
	}
	lines := r.lines()
	// The lines of one layer come in this order; those of several mix.
	for i, l := range m.Layers {
		want := []string{"Pulling fs layer", "Verifying Checksum", "Download complete", "Pull complete"}
		var got []string
		for _, line := range strings.Split(lines, "\n") {
			if status, ok := strings.CutPrefix(line, shortOf(l)+": "); ok {
				got = append(got, status)
			}
		}
		if strings.Join(got, ",") != strings.Join(want, ",") {
			t.Errorf("layer %d: %q", i, got)
		}
	}
	if !strings.HasPrefix(lines, "1: Pulling from team/app\n") ||
		!strings.HasSuffix(lines, "\nDigest: "+desc.Digest.String()+"\nStatus: Downloaded newer image for "+name) {
		t.Errorf("said\n%s", lines)
	}
	got, err := r.store.Images.Resolve(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Layers) != 3 || got.ID != m.Config.Digest || got.RepoDigests[0] != f.host+"/team/app@"+desc.Digest.String() {
		t.Errorf("stored %+v", got)
	}
}

func TestPullOfWhatIsHereCostsOneRequest(t *testing.T) {
	f, r := newFake(t), newRig(t, Config{})
	desc := f.image("1", three(t))
	name := f.host + "/app:1"
	for range 2 {
		r.lines()
		f.forget()
		if err := r.pull(name, PullOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	// The server speaks no TLS, which is tried before and is no request.
	if len(f.requests()) != 1 || f.requests()[0] != "HEAD /v2/app/manifests/1" {
		t.Errorf("asked %q", f.requests())
	}
	if want := "1: Pulling from app\nDigest: " + desc.Digest.String() + "\nStatus: Image is up to date for " + name; r.lines() != want {
		t.Errorf("want %s", want)
	}
	// Another tag of it costs no more, and neither does the digest.
	f.image("2", three(t))
	f.forget()
	for _, ref := range []string{f.host + "/app:2", f.host + "/app@" + desc.Digest.String()} {
		if err := r.pull(ref, PullOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if f.count("/blobs/") != 0 || len(f.requests()) != 2 {
		t.Errorf("asked %q", f.requests())
	}
	if _, err := r.store.Images.Resolve(t.Context(), f.host+"/app:2"); err != nil {
		t.Error(err)
	}
}

func TestLayersThatAreHereAreNotFetched(t *testing.T) {
	f, r := newFake(t), newRig(t, Config{})
	base := three(t)
	f.image("base", base)
	if err := r.pull(f.host+"/app:base", PullOptions{}); err != nil {
		t.Fatal(err)
	}
	r.lines()
	f.forget()
	derived := picture{layers: append(base.layers, tarOf(t, "d", "four")), compress: base.compress}
	f.image("derived", derived)
	if err := r.pull(f.host+"/other:derived", PullOptions{}); err != nil {
		t.Fatal(err)
	}
	if n := f.count("/blobs/"); n != 2 { // the config and the new layer
		t.Errorf("%d blobs asked for, want 2: %q", n, f.requests())
	}
	if n := strings.Count(r.lines(), ": Already exists"); n != 3 {
		t.Errorf("%d layers already exist, want 3", n)
	}
}

func TestPlatforms(t *testing.T) {
	f := newFake(t)
	index := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex}
	ids := map[string]string{}
	for _, p := range []ocispec.Platform{
		{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm", Variant: "v6"},
		{OS: "linux", Architecture: "arm", Variant: "v7"}, {OS: "windows", Architecture: "amd64"},
	} {
		m := f.manifestOf(picture{layers: [][]byte{tarOf(t, "arch", p.Architecture+p.Variant+p.OS)}, arch: p.Architecture})
		ids[p.OS+"/"+p.Architecture+p.Variant] = m.Config.Digest.String()
		desc := f.put("", ocispec.MediaTypeImageManifest, m)
		desc.Platform = &p
		index.Manifests = append(index.Manifests, desc)
	}
	attestation := f.put("", ocispec.MediaTypeImageManifest, []byte(`{"schemaVersion":2}`))
	attestation.Platform = &ocispec.Platform{OS: "unknown", Architecture: "unknown"}
	attestation.Annotations = map[string]string{"vnd.docker.reference.type": "attestation-manifest"}
	index.Manifests = append(index.Manifests, attestation)
	for _, mediaType := range []string{ocispec.MediaTypeImageIndex, images.MediaTypeDockerSchema2ManifestList} {
		index.MediaType = mediaType
		top := f.put("1", mediaType, index)
		for _, c := range []struct {
			ask  *ocispec.Platform
			want string
		}{
			{nil, ids["linux/amd64"]},
			{&ocispec.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}, ids["linux/armv7"]},
			{&ocispec.Platform{OS: "linux", Architecture: "arm", Variant: "v6"}, ids["linux/armv6"]},
			{&ocispec.Platform{OS: "linux", Architecture: "arm", Variant: "v8"}, ids["linux/armv7"]},
		} {
			r := newRig(t, Config{})
			if err := r.pull(f.host+"/app:1", PullOptions{Platform: c.ask}); err != nil {
				t.Errorf("%+v: %v", c.ask, err)
				continue
			}
			img, err := r.store.Images.Resolve(t.Context(), f.host+"/app@"+top.Digest.String())
			if err != nil || img.ID.String() != c.want {
				t.Errorf("%+v: image %s, %v, want %s", c.ask, img.ID, err, c.want)
			}
		}
	}
	r := newRig(t, Config{})
	err := r.pull(f.host+"/app:1", PullOptions{Platform: &ocispec.Platform{OS: "linux", Architecture: "s390x"}})
	if !errdefs.IsNotFound(err) || !strings.Contains(err.Error(), "no matching manifest for linux/s390x in the manifest list entries: there are linux/amd64, linux/arm/v6, linux/arm/v7, windows/amd64") {
		t.Errorf("no such platform: %v", err)
	}
	r.empty("no such platform")
	// Another platform of the same index is another image, and takes the name.
	if err := r.pull(f.host+"/app:1", PullOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := r.pull(f.host+"/app:1", PullOptions{Platform: &ocispec.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}}); err != nil {
		t.Fatal(err)
	}
	if img, err := r.store.Images.Resolve(t.Context(), f.host+"/app:1"); err != nil || img.ID.String() != ids["linux/armv7"] {
		t.Errorf("the name means %s, %v", img.ID, err)
	}
	// So does the digest of the index.
	f.forget()
	if err := r.pull(f.host+"/app:1", PullOptions{Platform: &ocispec.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}}); err != nil || len(f.requests()) != 1 {
		t.Errorf("pulled again: %v, asked %q", err, f.requests())
	}
}

func TestPlatformOfASingleManifestIsOnlyWarnedOf(t *testing.T) {
	f, r := newFake(t), newRig(t, Config{})
	f.image("1", three(t))
	if err := r.pull(f.host+"/app:1", PullOptions{Platform: &ocispec.Platform{OS: "linux", Architecture: "s390x"}}); err != nil {
		t.Fatal(err)
	}
	if lines := r.lines(); !strings.HasSuffix(lines, "WARNING: image with reference "+f.host+"/app:1 was found but its platform (linux/amd64) does not match the specified platform (linux/s390x)") {
		t.Error(lines)
	}
}

func TestConcurrentPullsShareDownloads(t *testing.T) {
	f, r := newFake(t), newRig(t, Config{})
	img := three(t)
	f.image("1", img)
	m := f.manifestOf(img)
	// No layer ends before all pulls have begun.
	begun := make(chan struct{})
	var waiting atomic.Int32
	const pulls = 4
	f.on("/blobs/"+m.Layers[1].Digest.String(), func(w http.ResponseWriter, req *http.Request) {
		<-begun
		w.Write(f.blobs[m.Layers[1].Digest])
	})
	var wg sync.WaitGroup
	for range pulls {
		wg.Go(func() {
			ref, err := reference.ParseNormalizedNamed(f.host + "/app:1")
			if err != nil {
				t.Error(err)
				return
			}
			var once sync.Once
			s, err := r.Pull(t.Context(), ref, PullOptions{Report: func(msg jsonstream.Message) {
				if strings.Contains(msg.Status, "Pulling fs layer") {
					once.Do(func() {
						if waiting.Add(1) == pulls {
							close(begun)
						}
					})
				}
			}})
			if err != nil || len(s) != 1 {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, l := range m.Layers {
		if n := f.count("GET /v2/app/blobs/" + l.Digest.String()); n != 1 {
			t.Errorf("layer %s was fetched %d times", l.Digest, n)
		}
	}
}

// TestCancelledPullLeavesNothing has a pull given up, with nothing beside it and while
// another operation is under way, which spares what it may be using until it ends.
func TestCancelledPullLeavesNothing(t *testing.T) {
	f, r := newFake(t), newRig(t, Config{})
	img := three(t)
	f.image("1", img)
	m := f.manifestOf(img)
	ref, err := reference.ParseNormalizedNamed(f.host + "/app:1")
	if err != nil {
		t.Fatal(err)
	}
	for _, beside := range []bool{false, true} {
		ctx, cancel := context.WithCancel(t.Context())
		f.on("/blobs/"+m.Layers[1].Digest.String(), func(w http.ResponseWriter, req *http.Request) {
			data := f.blobs[m.Layers[1].Digest]
			w.Header().Set("Content-Length", "100000")
			w.Write(data[:len(data)/2])
			w.(http.Flusher).Flush()
			cancel()
			<-req.Context().Done()
		})
		release := func() {}
		if beside {
			release = r.store.Images.Lease().Release
		}
		if _, err := r.Pull(ctx, ref, PullOptions{}); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		release()
		for what, n := range r.left() {
			if n != 0 {
				t.Errorf("%d %s left, beside another operation: %v", n, what, beside)
			}
		}
	}
}
