package store

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"
	"github.com/klauspost/compress/gzip"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"berth/store/image"
)

// These variables make the test binary something else than a test: a process
// that works on the store there until it is killed, or one that looks at what
// is left. The guest of the power-cut test uses both.
const (
	crashRoot  = "BERTH_TEST_CRASH_ROOT"
	crashVerb  = "BERTH_TEST_CRASH_VERB" // see churn
	verifyRoot = "BERTH_TEST_VERIFY_ROOT"
)

// kills is how often TestKilled kills each verb; the variable is for a long run.
const (
	killsVariable = "BERTH_TEST_KILLS"
	kills         = 3
)

func TestMain(m *testing.M) {
	if root := os.Getenv(crashRoot); root != "" {
		fmt.Fprintln(os.Stderr, churn(root, os.Getenv(crashVerb)))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// remoteImage is an image of n compressed layers and where they come from.
// The line breaks now and then.
func remoteImage(n int) (image.Incoming, error) {
	var layers [][]byte
	for i := range n {
		layers = append(layers, layerTar(50+i, 40))
	}
	in, err := remoteOf(layers...)
	whole := in.Source
	in.Source = func(ctx context.Context, desc ocispec.Descriptor, offset int64) (io.ReadCloser, error) {
		r, err := whole(ctx, desc, offset)
		if rand.N(5) == 0 {
			r = io.NopCloser(io.LimitReader(r, rand.N(desc.Size-offset+1)))
		}
		return r, err
	}
	return in, err
}

// remoteOf is an image of layers, compressed, and where they come from.
func remoteOf(layers ...[]byte) (image.Incoming, error) {
	blobs := make(map[digest.Digest][]byte)
	var ids []string
	var descs []ocispec.Descriptor
	for _, layer := range layers {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, err := w.Write(layer)
		if err := errors.Join(err, w.Close()); err != nil {
			return image.Incoming{}, err
		}
		dgst := digest.FromBytes(b.Bytes())
		blobs[dgst] = b.Bytes()
		ids = append(ids, fmt.Sprintf("%q", digest.FromBytes(layer)))
		descs = append(descs, ocispec.Descriptor{MediaType: ocispec.MediaTypeImageLayerGzip, Digest: dgst, Size: int64(b.Len())})
	}
	config := fmt.Appendf(nil, `{"os":"linux","rootfs":{"type":"layers","diff_ids":[%s]}}`, strings.Join(ids, ","))
	return image.Incoming{
		Parts: image.Parts{
			Config: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: digest.FromBytes(config), Size: int64(len(config))},
			Layers: descs,
		},
		Blobs: [][]byte{config},
		Source: func(_ context.Context, desc ocispec.Descriptor, offset int64) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(blobs[desc.Digest][offset:])), nil
		},
	}, nil
}

// dropNameless removes the images whose names others have taken, so that looking
// at all of them does not take longer each time.
func dropNameless(ctx context.Context, st *Store) error {
	all, err := st.Images.List(ctx)
	for _, img := range all {
		if len(img.RepoTags) == 0 {
			_, rerr := st.Images.Remove(ctx, img.ID.String(), image.RemoveOptions{})
			if !errdefs.IsConflict(rerr) { // others were made of it
				err = errors.Join(err, rerr)
			}
		}
	}
	return err
}

// verbs are what TestKilled kills: each by itself, and all at the same time.
var verbs = []string{"", "pull", "load", "commit", "rmi", "gc"}

// churn does a verb again and again, with what it needs in between, for ever;
// all verbs at the same time if it is "".
func churn(root, verb string) error {
	st, err := openStore(root)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(context.Background())
	if err := errors.Join(dropContainers(ctx, st), dropNameless(ctx, st)); err != nil {
		return err
	}
	load := func(i int) error {
		_, err := st.Images.Load(ctx, bytes.NewReader(archiveOf(1+i%4)))
		return err
	}
	pull := func(i int) error {
		in, err := remoteImage(1 + i%3)
		if err != nil {
			return err
		}
		_, err = st.Images.Receive(ctx, in, fmt.Sprintf("pulled:%d", i%3))
		if err != nil && strings.Contains(err.Error(), "bytes arrived") {
			return nil // the next step resumes
		}
		return err
	}
	extend := func(i int) error {
		_, err := st.Images.Append(ctx, bytes.NewReader(layerTar(100+i, 10)), image.NewImage{Parent: fmt.Sprintf("image:%d", 1+i%4), Name: "extended"})
		return err
	}
	commit := func(i int) error { return commitOne(ctx, st, fmt.Sprintf("pulled:%d", i%3), i) }
	remove := func(names ...string) func(int) error {
		return func(i int) error {
			_, err := st.Images.Remove(ctx, names[(i+1)%len(names)], image.RemoveOptions{}) // the oldest
			return err
		}
	}
	// An image that goes while a lease is held leaves its layers to the end of that.
	collect := func(i int) error {
		lease := st.Images.Lease()
		img, err := st.Images.Append(ctx, bytes.NewReader(layerTar(100+i, 40)), image.NewImage{})
		if err == nil {
			_, err = st.Images.Remove(ctx, img.ID.String(), image.RemoveOptions{})
		}
		lease.Release()
		return err
	}
	steps := map[string][]func(int) error{
		"pull":   {pull, remove("pulled:0", "pulled:1", "pulled:2")},
		"load":   {load, remove("image:1", "image:2", "image:3", "image:4")},
		"commit": {pull, commit, commit, commit, commit},
		"rmi":    {load, extend, remove("extended"), remove("image:1", "image:2", "image:3", "image:4")},
		"gc":     {collect},
	}[verb]
	if verb == "" {
		all := remove("image:1", "image:3", "pulled:0", "pulled:2", "committed")
		for _, step := range []func(int) error{load, pull, extend, commit, all} {
			g.Go(func() error { return forever(step) })
		}
	} else {
		g.Go(func() error { return forever(steps...) })
	}
	fmt.Println("open")
	return g.Wait()
}

// forever goes through steps, round by round. What one builds on another may
// just be taking away.
func forever(steps ...func(i int) error) error {
	for i := 0; ; i++ {
		for _, step := range steps {
			if err := step(i); err != nil && !errdefs.IsNotFound(err) && !errdefs.IsConflict(err) {
				return err
			}
		}
	}
}

// commitOne makes a container's file system, changes it and makes an image of
// that.
func commitOne(ctx context.Context, st *Store, ref string, i int) error {
	img, err := st.Images.Resolve(ctx, ref)
	if err != nil {
		return err
	}
	lease := st.Images.Lease()
	defer lease.Release()
	parent, err := st.Images.Unpack(ctx, img.ID)
	if err != nil {
		return err
	}
	key := fmt.Sprintf("container-%d", i)
	if _, err := st.Snapshots.Prepare(ctx, key, parent); err != nil {
		return err
	}
	defer st.Snapshots.Remove(ctx, key)
	dirs, err := st.Snapshots.Dirs(ctx, key)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dirs.Upper, "changed"), []byte(key), 0o644); err != nil {
		return err
	}
	_, err = st.Images.CommitSnapshot(ctx, key, image.CommitOptions{}, image.NewImage{Parent: img.ID.String(), Name: "committed"})
	return err
}

// dropContainers removes the writable layers that a killed churn left: they
// are its own to remove.
func dropContainers(ctx context.Context, st *Store) error {
	return st.Snapshots.Walk(ctx, func(ctx context.Context, info snapshots.Info) error {
		if info.Kind != snapshots.KindActive {
			return nil
		}
		return st.Snapshots.Remove(ctx, info.Name)
	})
}

// TestKilled kills a process at random instants of pulling, loading, making,
// committing, removing and collecting images. Every image that is listed
// afterwards is whole and can be run, and what was half done is gone.
func TestKilled(t *testing.T) {
	needRoot(t)
	n := kills
	if v := os.Getenv(killsVariable); v != "" {
		var err error
		if n, err = strconv.Atoi(v); err != nil {
			t.Fatalf("%s: %v", killsVariable, err)
		}
	}
	for _, verb := range verbs {
		t.Run(cmp.Or(verb, "all"), func(t *testing.T) {
			root := t.TempDir()
			for range n {
				killOne(t, root, verb)
			}
			lookAtTheEnd(t, root)
		})
	}
}

// killOne kills a process that works on a store, and looks at that.
func killOne(t *testing.T, root, verb string) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), crashRoot+"="+root, crashVerb+"="+verb)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 5)); err != nil {
		t.Error(err)
	}
	time.Sleep(rand.N(300 * time.Millisecond)) // the instant is the point, nothing is waited for
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	cmd.Wait()

	st, err := openStore(root)
	if err != nil {
		t.Fatal(err)
	}
	verify(t, st)
	works(t, st)
	if err := st.Close(); err != nil {
		t.Error(err)
	}
	if t.Failed() {
		t.FailNow()
	}
}

// works makes sure that all layers of every image can be used.
func works(t *testing.T, st *Store) {
	t.Helper()
	all, err := st.Images.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, img := range all {
		if _, err := st.Images.Unpack(t.Context(), img.ID); err != nil {
			t.Errorf("image %s %v: %v", img.ID, img.RepoTags, err)
		}
	}
	verify(t, st)
}

// lookAtTheEnd removes everything from a store, and looks whether all goes.
func lookAtTheEnd(t *testing.T, root string) {
	t.Helper()
	st, err := openStore(root)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if err := dropContainers(t.Context(), st); err != nil {
		t.Error(err)
	}
	// What had arrived of a layer waits for a week to be resumed.
	list, err := st.Content.ListStatuses(t.Context())
	for _, ingest := range list {
		if ingest.Expected == "" {
			t.Errorf("%s can never be resumed", ingest.Ref)
		}
		err = errors.Join(err, st.Content.Abort(t.Context(), ingest.Ref))
	}
	if err != nil {
		t.Error(err)
	}
	wantNothing(t, st, root)
}

// TestVerify looks at the store that a variable names.
func TestVerify(t *testing.T) {
	root := os.Getenv(verifyRoot)
	if root == "" {
		t.Skipf("%s names no store to look at", verifyRoot)
	}
	st, err := openStore(root)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	verify(t, st)
	works(t, st)
	all, err := st.Images.List(t.Context())
	t.Logf("%d images, %v", len(all), err)
}
