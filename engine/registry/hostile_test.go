package registry

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// endless writes until the client has had enough.
func endless(w http.ResponseWriter) {
	for chunk := bytes.Repeat([]byte(" "), 64<<10); ; {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// TestWhatDoesNotFitIsRefused has a registry that lies about one thing at a
// time. Nothing of the image may be kept.
func TestWhatDoesNotFitIsRefused(t *testing.T) {
	layer := func(m ocispec.Manifest) string { return "/blobs/" + m.Layers[1].Digest.String() }
	for _, c := range []struct {
		name string
		// lie prepares the registry; m is the honest manifest, put is to
		// store another one under the tag.
		lie  func(f *fake, m ocispec.Manifest, put func(mediaType string, doc any))
		want string
	}{
		{"a layer with another content", func(f *fake, m ocispec.Manifest, _ func(string, any)) {
			f.blobs[m.Layers[1].Digest] = f.blobs[m.Layers[0].Digest]
			m.Layers[1].Size = m.Layers[0].Size
			f.put("1", m.MediaType, m)
		}, "what arrived has the digest"},
		{"a layer that goes on", func(f *fake, m ocispec.Manifest, _ func(string, any)) {
			f.on(layer(m), func(w http.ResponseWriter, _ *http.Request) { endless(w) })
		}, "sent more than the"},
		{"a layer that is smaller than the manifest says", func(_ *fake, m ocispec.Manifest, put func(string, any)) {
			m.Layers[1].Size++
			put(m.MediaType, m)
		}, "the registry has"},
		{"a layer that is larger than the manifest says", func(_ *fake, m ocispec.Manifest, put func(string, any)) {
			m.Layers[1].Size--
			put(m.MediaType, m)
		}, "sent more than the"},
		{"a layer that unpacks to something else", func(f *fake, m ocispec.Manifest, put func(string, any)) {
			m.Layers[1] = m.Layers[0]
			put(m.MediaType, m)
		}, "the image config says"},
		{"a layer that the registry does not have", func(f *fake, m ocispec.Manifest, _ func(string, any)) {
			delete(f.blobs, m.Layers[1].Digest)
		}, "unknown blob"},
		{"a config with another content", func(f *fake, m ocispec.Manifest, _ func(string, any)) {
			f.blobs[m.Config.Digest] = bytes.Repeat([]byte(" "), int(m.Config.Size))
		}, "sent something else"},
		{"a config that goes on", func(f *fake, m ocispec.Manifest, _ func(string, any)) {
			f.on("/blobs/"+m.Config.Digest.String(), func(w http.ResponseWriter, _ *http.Request) { endless(w) })
		}, "sent more than the"},
		{"a config of other layers", func(f *fake, m ocispec.Manifest, put func(string, any)) {
			m.Layers = m.Layers[:2]
			put(m.MediaType, m)
		}, "config tells of 3 layers, its manifest of 2"},
		{"a huge config", func(_ *fake, m ocispec.Manifest, put func(string, any)) {
			m.Config.Size = 1 << 40
			put(m.MediaType, m)
		}, "more than 4194304 are refused"},
		{"a config of something else", func(_ *fake, m ocispec.Manifest, put func(string, any)) {
			m.Config.MediaType = "application/vnd.cncf.helm.config.v1+json"
			put(m.MediaType, m)
		}, "not a container image"},
		{"an encrypted layer", func(_ *fake, m ocispec.Manifest, put func(string, any)) {
			m.Layers[1].MediaType += "+encrypted"
			put(m.MediaType, m)
		}, "cannot be unpacked"},
		{"a layer with a digest of another kind", func(_ *fake, m ocispec.Manifest, put func(string, any)) {
			m.Layers[1].Digest = digest.SHA512.FromString("x")
			put(m.MediaType, m)
		}, "only sha256 is supported"},
		{"a layer without a size", func(_ *fake, m ocispec.Manifest, put func(string, any)) {
			m.Layers[1].Size = -1
			put(m.MediaType, m)
		}, "the size -1"},
		{"a layer with a path for a digest", func(_ *fake, m ocispec.Manifest, put func(string, any)) {
			m.Layers[1].Digest = "sha256:../../../../etc/passwd"
			put(m.MediaType, m)
		}, "only sha256 is supported"},
		{"a manifest with another content than its digest", func(f *fake, m ocispec.Manifest, _ func(string, any)) {
			f.on("/manifests/", func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Docker-Content-Digest", digest.FromString("x").String())
				w.Header().Set("Content-Type", m.MediaType)
				w.Header().Set("Content-Length", "4")
				if r.Method == http.MethodGet {
					io.WriteString(w, "null")
				}
			})
		}, "sent something else"},
		{"a huge manifest", func(f *fake, m ocispec.Manifest, _ func(string, any)) {
			f.on("/manifests/", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Docker-Content-Digest", digest.FromString("x").String())
				w.Header().Set("Content-Type", m.MediaType)
				w.Header().Set("Content-Length", "1000000000")
			})
		}, "1000000000 bytes"},
		{"an endless manifest without a digest", func(f *fake, m ocispec.Manifest, _ func(string, any)) {
			f.on("/manifests/", func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", m.MediaType)
				if r.Method == http.MethodGet {
					endless(w)
				}
			})
		}, "is larger than 4194304 bytes"},
		{"a manifest that is none", func(_ *fake, _ ocispec.Manifest, put func(string, any)) {
			put("text/html", []byte("<html>"))
		}, `the media type "text/html", which is none of an image`},
		{"a manifest of schema 1", func(_ *fake, _ ocispec.Manifest, put func(string, any)) {
			put(images.MediaTypeDockerSchema1Manifest, []byte("{}"))
		}, "schema 1"},
		{"a manifest and index in one", func(_ *fake, m ocispec.Manifest, put func(string, any)) {
			put(m.MediaType, struct {
				ocispec.Manifest
				Manifests []ocispec.Descriptor `json:"manifests"`
			}{m, []ocispec.Descriptor{}})
		}, "ambiguous"},
		{"a manifest of too many layers", func(_ *fake, m ocispec.Manifest, put func(string, any)) {
			for len(m.Layers) <= maxLayers {
				m.Layers = append(m.Layers, m.Layers[0])
			}
			put(m.MediaType, m)
		}, "layers: more than 1000 are refused"},
		{"an index of indexes of indexes", func(f *fake, m ocispec.Manifest, _ func(string, any)) {
			desc := f.put("", m.MediaType, m)
			for range maxIndex + 1 {
				desc = f.put("1", ocispec.MediaTypeImageIndex, ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{desc}})
			}
		}, "nested"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, r := newFake(t), newRig(t, Config{})
			m := f.manifestOf(three(t))
			f.put("1", m.MediaType, m)
			put := func(mediaType string, doc any) {
				f.put("1", mediaType, doc)
			}
			m.Layers = append([]ocispec.Descriptor(nil), m.Layers...)
			c.lie(f, m, put)
			err := r.pull(f.host+"/app:1", PullOptions{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			for what, n := range r.left() { // at once, without a collection
				if n != 0 {
					t.Errorf("%d %s left", n, what)
				}
			}
		})
	}
}

func TestLostConnectionsAreTakenUpAgain(t *testing.T) {
	f, r := newFake(t), newRig(t, Config{})
	big := picture{layers: [][]byte{tarOf(t, "b", strings.Repeat("0123456789abcdef", 1<<16))}, compress: []string{"none"}}
	f.image("1", big)
	m := f.manifestOf(big)
	blob := f.blobs[m.Layers[0].Digest]
	var ranges []string
	f.on("/blobs/"+m.Layers[0].Digest.String(), func(w http.ResponseWriter, req *http.Request) {
		from := 0
		if rng := req.Header.Get("Range"); rng != "" {
			ranges = append(ranges, rng)
			fmt.Sscanf(rng, "bytes=%d-", &from)
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(blob)-1, len(blob)))
			w.Header().Set("Content-Length", strconv.Itoa(len(blob)-from))
			w.WriteHeader(http.StatusPartialContent)
		} else {
			w.Header().Set("Content-Length", strconv.Itoa(len(blob)))
		}
		// A third each time; then the connection is cut.
		w.Write(blob[from:min(len(blob), from+len(blob)/3+1)])
	})
	if err := r.pull(f.host+"/app:1", PullOptions{}); err != nil {
		t.Fatal(err)
	}
	if len(ranges) < 2 {
		t.Errorf("asked for %q", ranges)
	}
	for _, rng := range ranges {
		if rng == "bytes=0-" {
			t.Errorf("asked for all again: %q", ranges)
		}
	}
}

func TestABrokenPullGoesOnWhereItEnded(t *testing.T) {
	f, r := newFake(t), newRig(t, Config{})
	big := picture{layers: [][]byte{tarOf(t, "b", strings.Repeat("0123456789abcdef", 1<<16))}, compress: []string{"none"}}
	f.image("1", big)
	m := f.manifestOf(big)
	blob := f.blobs[m.Layers[0].Digest]
	var broken atomic.Bool
	var sent atomic.Int64
	broken.Store(true)
	f.on("/blobs/"+m.Layers[0].Digest.String(), func(w http.ResponseWriter, req *http.Request) {
		switch {
		case broken.Load() && req.Header.Get("Range") == "":
			w.Header().Set("Content-Length", strconv.Itoa(len(blob)))
			w.Write(blob[:len(blob)/2])
		case broken.Load():
			panic(http.ErrAbortHandler)
		default:
			from, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(req.Header.Get("Range"), "bytes="), "-"))
			sent.Store(int64(from))
			http.ServeContent(w, req, "", time.Time{}, bytes.NewReader(blob))
		}
	})
	err := r.pull(f.host+"/app:1", PullOptions{})
	if err == nil || !strings.Contains(err.Error(), "lost too often") {
		t.Fatalf("error %v", err)
	}
	broken.Store(false)
	if err := r.pull(f.host+"/app:1", PullOptions{}); err != nil {
		t.Fatal(err)
	}
	if sent.Load() < int64(len(blob)/2) {
		t.Errorf("the second pull began at byte %d of %d", sent.Load(), len(blob))
	}
}

func TestTooManyRequests(t *testing.T) {
	f, r := newFake(t), newRig(t, Config{})
	f.image("1", three(t))
	left := 2
	f.hook = func(w http.ResponseWriter, _ *http.Request) bool {
		if left--; left < 0 {
			return false
		}
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
	if err := r.pull(f.host+"/app:1", PullOptions{}); err != nil {
		t.Errorf("a registry that was busy for a moment: %v", err)
	}
	// A limit that lasts is told at once, in the registry's words.
	f.forget()
	f.hook = func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Retry-After", "21600")
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusTooManyRequests)
		io.WriteString(w, `{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit. \u001b[31m"}]}`)
		return true
	}
	err := r.pull(f.host+"/app:2", PullOptions{})
	if err == nil || !strings.Contains(err.Error(), "toomanyrequests") || strings.ContainsRune(err.Error(), 0x1b) {
		t.Errorf("error %v", err)
	}
	if len(f.requests()) > 2 {
		t.Errorf("asked %d times: %q", len(f.requests()), f.requests())
	}
}
