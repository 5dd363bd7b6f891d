package image_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/klauspost/compress/gzip"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"berth/store"
	"berth/store/image"
)

// depot is where layers come from; it counts what it gives away.
type depot struct {
	mu    sync.Mutex
	blobs map[digest.Digest][]byte
	bytes map[digest.Digest]int           // handed out
	gate  map[digest.Digest]chan struct{} // to wait for before the second half
	fail  map[digest.Digest]int           // bytes after which reading fails, once
}

var errBroken = errors.New("the line is broken")

func (d *depot) source(ctx context.Context, desc ocispec.Descriptor, offset int64) (io.ReadCloser, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	data, ok := d.blobs[desc.Digest]
	if !ok {
		return nil, errBroken
	}
	data = data[offset:]
	readers := []io.Reader{bytes.NewReader(data)}
	if n := d.fail[desc.Digest]; n > 0 {
		delete(d.fail, desc.Digest)
		readers = []io.Reader{bytes.NewReader(data[:n]), readerFunc(func([]byte) (int, error) { return 0, errBroken })}
	}
	if gate := d.gate[desc.Digest]; gate != nil {
		half := len(data) / 2
		wait := readerFunc(func([]byte) (int, error) {
			select {
			case <-gate:
				return 0, io.EOF
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		})
		readers = []io.Reader{bytes.NewReader(data[:half]), wait, bytes.NewReader(data[half:])}
	}
	r := io.MultiReader(readers...)
	return io.NopCloser(readerFunc(func(p []byte) (int, error) {
		n, err := r.Read(p)
		d.mu.Lock()
		d.bytes[desc.Digest] += n
		d.mu.Unlock()
		return n, err
	})), nil
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func gz(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// remote puts an image of layers into a new depot.
func remote(t testing.TB, layers ...[]byte) (*depot, image.Incoming) {
	t.Helper()
	d := &depot{blobs: make(map[digest.Digest][]byte), bytes: make(map[digest.Digest]int), gate: make(map[digest.Digest]chan struct{}), fail: make(map[digest.Digest]int)}
	config := configOf(layers...)
	m := ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Config: descOf(ocispec.MediaTypeImageConfig, config)}
	for _, l := range layers {
		blob := gz(t, l)
		d.blobs[digest.FromBytes(blob)] = blob
		m.Layers = append(m.Layers, descOf(ocispec.MediaTypeImageLayerGzip, string(blob)))
	}
	manifest := jsonOf(t, m)
	desc := descOf(m.MediaType, manifest)
	return d, image.Incoming{
		Parts:  image.Parts{Config: m.Config, Layers: m.Layers, Manifest: &desc},
		Blobs:  [][]byte{[]byte(config), []byte(manifest)},
		Source: d.source,
	}
}

// threeLayers are layers of which the upper ones cannot be unpacked without
// the lower: they name no directories, go through a link, and link to a file.
func threeLayers(t testing.TB) [][]byte {
	return [][]byte{
		pack(t, member{name: "usr/lib/", kind: '5'}, member{name: "lib", kind: '2', link: "usr/lib"}, member{name: "usr/lib/one", data: strings.Repeat("1", 1<<20)}),
		pack(t, member{name: "lib/two", data: strings.Repeat("2", 1<<20)}),
		pack(t, member{name: "three", kind: '1', link: "lib/two"}, member{name: "usr/lib/three", data: "3"}),
	}
}

func checkThree(t *testing.T, st *store.Store, img image.Image) {
	t.Helper()
	for path, want := range map[string]string{"/usr/lib/one": "1", "/usr/lib/two": "2", "/three": "2", "/usr/lib/three": "3"} {
		if got := readFile(t, st, img, len(img.Layers)-1, path); strings.Trim(got, want) != "" || got == "" {
			t.Errorf("%s is %.40q", path, got)
		}
	}
}

func TestReceiveTakesLayersInAnyOrder(t *testing.T) {
	st := open(t, t.TempDir())
	d, in := remote(t, threeLayers(t)...)
	// The lowest layer comes last: the others are fetched meanwhile, and wait.
	lowest := in.Layers[0].Digest
	gate := make(chan struct{})
	d.gate[lowest] = gate
	var mu sync.Mutex
	stages := make(map[int][]image.Stage)
	fetched := 0
	in.Progress = func(p image.Progress) {
		mu.Lock()
		defer mu.Unlock()
		if s := stages[p.Layer]; len(s) == 0 || s[len(s)-1] != p.Stage {
			stages[p.Layer] = append(s, p.Stage)
			if p.Stage == image.LayerFetched {
				if fetched++; fetched == 2 {
					close(gate)
				}
			}
		}
	}
	img, err := st.Images.Receive(t.Context(), in, "three:1")
	if err != nil {
		t.Fatal(err)
	}
	checkThree(t, st, img)
	for i := range 3 {
		if s := stages[i]; !slices.IsSorted(s) || s[len(s)-1] != image.LayerDone {
			t.Errorf("stages of layer %d: %v", i, s)
		}
	}

	// Again: nothing is to be done.
	before := len(d.bytes)
	clear(d.bytes)
	clear(stages)
	if _, err := st.Images.Receive(t.Context(), in, "three:2"); err != nil || before != 3 || len(d.bytes) != 0 {
		t.Errorf("again: %v, fetched %v", err, d.bytes)
	}
	if s := stages[2]; !slices.Equal(s, []image.Stage{image.LayerPresent}) {
		t.Errorf("stages of a layer that is there: %v", s)
	}
}

func TestReceiveOnceForAll(t *testing.T) {
	st := open(t, t.TempDir())
	layers := threeLayers(t)
	d, in := remote(t, layers...)
	_, two := remote(t, layers[:2]...)
	two.Source = d.source
	var g errgroup.Group
	for range 4 {
		g.Go(func() error { _, err := st.Images.Receive(t.Context(), in, "all:1"); return err })
		g.Go(func() error { _, err := st.Images.Receive(t.Context(), two, "two:1"); return err })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	for dgst, blob := range d.blobs {
		if d.bytes[dgst] != len(blob) {
			t.Errorf("%d bytes were fetched of a blob of %d", d.bytes[dgst], len(blob))
		}
	}
	if _, snaps := contents(t, st); snaps != 3 {
		t.Errorf("%d snapshots", snaps)
	}
}

func TestReceiveGoesOnWhenTheFirstGivesUp(t *testing.T) {
	st := open(t, t.TempDir())
	d, in := remote(t, threeLayers(t)...)
	gate := make(chan struct{})
	d.gate[in.Layers[0].Digest] = gate
	ctx, cancel := context.WithCancel(t.Context())
	first, second := in, in
	under := func(started chan struct{}) func(image.Progress) {
		var once sync.Once
		return func(p image.Progress) {
			if p.Stage == image.LayerFetching && p.Layer == 0 {
				once.Do(func() { close(started) })
			}
		}
	}
	one, other := make(chan struct{}), make(chan struct{})
	first.Progress, second.Progress = under(one), under(other)
	var g errgroup.Group
	g.Go(func() error {
		if _, err := st.Images.Receive(ctx, first); !errors.Is(err, context.Canceled) {
			t.Errorf("the first: %v", err)
		}
		close(gate)
		return nil
	})
	<-one
	g.Go(func() error { _, err := st.Images.Receive(t.Context(), second, "x:1"); return err })
	<-other // has joined
	cancel()
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if low := in.Layers[0].Digest; d.bytes[low] != len(d.blobs[low]) {
		t.Errorf("%d bytes were fetched of a blob of %d", d.bytes[low], len(d.blobs[low]))
	}
}

func TestReceiveResumes(t *testing.T) {
	st := open(t, t.TempDir())
	d, in := remote(t, threeLayers(t)...)
	low := in.Layers[0].Digest
	d.fail[low] = 100
	if _, err := st.Images.Receive(t.Context(), in, "x:1"); !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "layer 1 of 3") {
		t.Fatalf("broken: %v", err)
	}
	if _, err := st.Images.Resolve(t.Context(), "x:1"); !errdefs.IsNotFound(err) {
		t.Fatalf("after a broken pull: %v", err)
	}
	img, err := st.Images.Receive(t.Context(), in, "x:1")
	if err != nil || d.bytes[low] != len(d.blobs[low]) {
		t.Fatalf("resumed: %v, %d bytes of %d", err, d.bytes[low], len(d.blobs[low]))
	}
	checkThree(t, st, img)
}

func TestReceiveRefuses(t *testing.T) {
	layers := threeLayers(t)
	for name, spoil := range map[string]func(*depot, *image.Incoming){
		"digest":   func(d *depot, in *image.Incoming) { d.blobs[in.Layers[1].Digest] = gz(t, layers[0]) },
		"one byte": func(d *depot, in *image.Incoming) { d.blobs[in.Layers[2].Digest][20] ^= 1 },
		"too long": func(d *depot, in *image.Incoming) {
			d.blobs[in.Layers[0].Digest] = append(d.blobs[in.Layers[0].Digest], "tail"...)
		},
		"size": func(d *depot, in *image.Incoming) { in.Layers[0].Size-- },
		"diff ID": func(d *depot, in *image.Incoming) {
			config := configOf(layers[0], layers[2], layers[1])
			in.Config, in.Blobs = descOf(ocispec.MediaTypeImageConfig, config), [][]byte{[]byte(config)}
		},
		"not a tar": func(d *depot, in *image.Incoming) {
			junk := bytes.Repeat([]byte("junk"), 1000)
			d.blobs[digest.FromBytes(junk)] = junk
			config := configOf(layers[0], layers[1], junk)
			in.Config, in.Blobs = descOf(ocispec.MediaTypeImageConfig, config), [][]byte{[]byte(config)}
			in.Layers[2] = descOf(ocispec.MediaTypeImageLayer, string(junk))
		},
		"number of layers": func(d *depot, in *image.Incoming) { in.Layers = in.Layers[:2] },
	} {
		t.Run(name, func(t *testing.T) {
			st := open(t, t.TempDir())
			d, in := remote(t, layers...)
			spoil(d, &in)
			_, err := st.Images.Receive(t.Context(), in, "bad:1")
			if !errdefs.IsInvalidArgument(err) {
				t.Fatalf("got %v, want kind InvalidArgument", err)
			}
			t.Log(err)
			wantNothing(t, st)
			if list, err := st.Content.ListStatuses(t.Context()); err != nil || len(list) != 0 {
				t.Errorf("left behind: %v, %v", list, err)
			}
		})
	}
}
