package registry

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/distribution/reference"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"berth/store"
)

// fake is a registry in this process that can be made to misbehave.
type fake struct {
	t    *testing.T
	host string

	mu        sync.Mutex
	manifests map[string][]byte // by tag and by digest
	types     map[string]string // of manifests, by digest
	blobs     map[digest.Digest][]byte
	asked     []string // METHOD path, of all requests

	// hook sees every request first; true: it has answered.
	hook func(w http.ResponseWriter, r *http.Request) bool
}

func newFake(t *testing.T) *fake {
	f := &fake{t: t, manifests: map[string][]byte{}, types: map[string]string{}, blobs: map[digest.Digest][]byte{}}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	f.host = strings.TrimPrefix(s.URL, "http://")
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.asked = append(f.asked, r.Method+" "+r.URL.Path)
	hook := f.hook
	f.mu.Unlock()
	if hook != nil && hook(w, r) {
		return
	}
	_, rest, _ := strings.Cut(r.URL.Path, "/v2/")
	switch {
	case strings.Contains(rest, "/manifests/"):
		_, ref, _ := strings.Cut(rest, "/manifests/")
		f.manifest(w, r, ref)
	case strings.Contains(rest, "/blobs/sha256:"):
		_, id, _ := strings.Cut(rest, "/blobs/")
		f.mu.Lock()
		data, ok := f.blobs[digest.Digest(id)]
		f.mu.Unlock()
		if !ok {
			http.Error(w, `{"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown to registry"}]}`, http.StatusNotFound)
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	default:
		w.WriteHeader(http.StatusOK)
	}
}

func (f *fake) manifest(w http.ResponseWriter, r *http.Request, ref string) {
	f.mu.Lock()
	data, ok := f.manifests[ref]
	f.mu.Unlock()
	if !ok {
		http.Error(w, `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}`, http.StatusNotFound)
		return
	}
	id := digest.FromBytes(data)
	w.Header().Set("Docker-Content-Digest", id.String())
	w.Header().Set("Content-Type", f.types[id.String()])
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	if r.Method == http.MethodGet {
		w.Write(data)
	}
}

// on makes requests whose path contains part go to h.
func (f *fake) on(part string, h http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.hook
	f.hook = func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, part) {
			h(w, r)
			return true
		}
		return before != nil && before(w, r)
	}
}

// requests are all requests since forget.
func (f *fake) requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asked)
}

func (f *fake) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = nil
}

// count tells how many requests had a path that contains part.
func (f *fake) count(part string) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.asked {
		if strings.Contains(a, part) {
			n++
		}
	}
	return n
}

// put stores a document under a tag ("" for none) and returns its descriptor.
func (f *fake) put(tag, mediaType string, doc any) ocispec.Descriptor {
	data, ok := doc.([]byte)
	if !ok {
		var err error
		if data, err = json.Marshal(doc); err != nil {
			f.t.Fatal(err)
		}
	}
	id := digest.FromBytes(data)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.manifests[id.String()], f.types[id.String()] = data, mediaType
	if tag != "" {
		f.manifests[tag] = data
	}
	return ocispec.Descriptor{MediaType: mediaType, Digest: id, Size: int64(len(data))}
}

func (f *fake) blob(mediaType string, data []byte) ocispec.Descriptor {
	f.mu.Lock()
	defer f.mu.Unlock()
	id := digest.FromBytes(data)
	f.blobs[id] = data
	return ocispec.Descriptor{MediaType: mediaType, Digest: id, Size: int64(len(data))}
}

// picture is an image to be put into a fake.
type picture struct {
	layers    [][]byte // tar archives
	compress  []string // of each layer: "gzip" ("" too), "zstd", "none"
	arch      string
	annotated map[string]string
}

// manifestOf stores the blobs of an image and makes its manifest.
func (f *fake) manifestOf(img picture) ocispec.Manifest {
	m := ocispec.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, Annotations: img.annotated}
	if img.arch == "" {
		img.arch = "amd64"
	}
	config := ocispec.Image{Platform: ocispec.Platform{OS: "linux", Architecture: img.arch}, RootFS: ocispec.RootFS{Type: "layers"}}
	for i, layer := range img.layers {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, digest.FromBytes(layer))
		how := ""
		if i < len(img.compress) {
			how = img.compress[i]
		}
		data, mediaType := compressTar(f.t, layer, how)
		m.Layers = append(m.Layers, f.blob(mediaType, data))
	}
	doc, err := json.Marshal(config)
	if err != nil {
		f.t.Fatal(err)
	}
	m.Config = f.blob(ocispec.MediaTypeImageConfig, doc)
	return m
}

// image stores an image under a tag.
func (f *fake) image(tag string, img picture) ocispec.Descriptor {
	return f.put(tag, ocispec.MediaTypeImageManifest, f.manifestOf(img))
}

func compressTar(t *testing.T, data []byte, how string) ([]byte, string) {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	mediaType := ocispec.MediaTypeImageLayerGzip
	switch how {
	case "none":
		return data, ocispec.MediaTypeImageLayer
	case "zstd":
		mediaType = ocispec.MediaTypeImageLayerZstd
		z, err := zstd.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		w = z
	default:
		w = gzip.NewWriter(&b)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), mediaType
}

// tarOf makes a layer of names and contents.
func tarOf(t *testing.T, pairs ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(pairs); i += 2 {
		h := &tar.Header{Name: pairs[i], Typeflag: tar.TypeReg, Size: int64(len(pairs[i+1])), Mode: 0o644, ModTime: time.Unix(1e9, 0)}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, pairs[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// rig is a Registry with a store of its own.
type rig struct {
	*Registry
	t     *testing.T
	store *store.Store
	mu    sync.Mutex
	said  []string
}

func newRig(t *testing.T, cfg Config) *rig {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("owners and trusted xattrs of layers need root")
	}
	st, err := store.Open(t.Context(), t.TempDir(), store.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	cfg.RetryDelay, cfg.Agent = time.Millisecond, "berth/test"
	remote, err := NewRemote(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &rig{Registry: New(remote, st), t: t, store: st}
}

// report keeps docker's plain lines.
func (r *rig) report(m jsonstream.Message) {
	if m.Progress != nil && m.Progress.Total > 0 || m.Aux != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	line := m.Status
	if m.ID != "" {
		line = m.ID + ": " + line
	}
	r.said = append(r.said, line)
}

// lines are what was reported since the last call.
func (r *rig) lines() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := strings.Join(r.said, "\n")
	r.said = nil
	return out
}

// pull pulls name from host ("" for none).
func (r *rig) pull(name string, o PullOptions) error {
	r.t.Helper()
	ref, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		r.t.Fatal(err)
	}
	o.Report = r.report
	_, err = r.Pull(r.t.Context(), ref, o)
	return err
}

func (r *rig) push(name string, o PushOptions) error {
	r.t.Helper()
	ref, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		r.t.Fatal(err)
	}
	o.Report = r.report
	_, err = r.Push(r.t.Context(), ref, o)
	return err
}

// empty fails unless the store has no image, no layer and no blob, complete or
// not.
func (r *rig) empty(why string) {
	r.t.Helper()
	if _, err := r.store.Images.Collect(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	for what, n := range r.left() {
		if n != 0 {
			r.t.Errorf("%s: %d %s left", why, n, what)
		}
	}
}

func (r *rig) left() map[string]int {
	r.t.Helper()
	images, err := r.store.Images.List(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	ingests, err := r.store.Content.ListStatuses(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return map[string]int{"images": len(images), "ingests": len(ingests), "blobs": r.blobs()}
}

// short is how messages name a digest.
func shortOf(d ocispec.Descriptor) string { return fmt.Sprintf("%.12s", d.Digest.Encoded()) }

// named is a reference.
func named(t *testing.T, name string) reference.Named {
	t.Helper()
	ref, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		t.Fatal(err)
	}
	return reference.TagNameOnly(ref)
}
