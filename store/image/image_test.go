package image_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"

	"berth/store"
	"berth/store/image"
)

func needRoot(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("owners, devices and trusted xattrs of layers need root")
	}
}

func open(t testing.TB, root string) *store.Store {
	t.Helper()
	needRoot(t)
	st, err := store.Open(t.Context(), root, store.Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

// tarOf makes an archive of names and contents; a name that ends with a slash
// is a directory.
func tarOf(t testing.TB, pairs ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i := 0; i < len(pairs); i += 2 {
		h := &tar.Header{Name: pairs[i], Typeflag: tar.TypeReg, Size: int64(len(pairs[i+1])), Mode: 0o644, ModTime: time.Unix(1e9, 0)}
		if pairs[i][len(pairs[i])-1] == '/' {
			h.Typeflag, h.Mode = tar.TypeDir, 0o755
		}
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

// starter makes an image of four layers that add, modify and delete.
func starter(t testing.TB, st *store.Store) image.Image {
	t.Helper()
	ctx := t.Context()
	img, err := st.Images.Import(ctx, bytes.NewReader(tarOf(t, "bin/", "", "bin/sh", "shell", "etc/", "", "etc/motd", "hello", "etc/old", "12345678")), image.NewImage{
		Name: "starter:base", Comment: "base", Changes: []string{`CMD ["sh"]`, "ENV PATH=/bin A=1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, layer := range [][]byte{
		tarOf(t, "app/", "", "app/data", "version 1"),
		tarOf(t, "etc/motd", "changed", "app/data", "version 2!"),
		tarOf(t, "etc/.wh.old", "", "app/", "", "app/.wh..wh..opq", "", "app/new", "n"),
	} {
		img, err = st.Images.Append(ctx, bytes.NewReader(layer), image.NewImage{Parent: img.ID.String(), Name: "starter:latest", CreatedBy: "step " + string('1'+rune(i))})
		if err != nil {
			t.Fatal(err)
		}
	}
	return img
}

func readFile(t testing.TB, st *store.Store, img image.Image, layer int, path string) string {
	t.Helper()
	f, err := st.Images.OpenFile(t.Context(), img, layer, path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// contents counts what a store holds.
func contents(t testing.TB, st *store.Store) (blobs, snaps int) {
	t.Helper()
	if err := st.Content.Walk(t.Context(), func(content.Info) error { blobs++; return nil }); err != nil {
		t.Fatal(err)
	}
	err := st.Snapshots.Walk(t.Context(), func(context.Context, snapshots.Info) error { snaps++; return nil })
	if err != nil {
		t.Fatal(err)
	}
	statuses, err := st.Content.ListStatuses(t.Context())
	if err != nil || len(statuses) > 0 {
		t.Errorf("ingests left: %v, %v", statuses, err)
	}
	return blobs, snaps
}

func TestImageOfLayers(t *testing.T) {
	root := t.TempDir()
	st := open(t, root)
	img := starter(t, st)
	if len(img.Layers) != 4 || !slices.Equal(img.RepoTags, []string{"starter:latest"}) || img.Config.Config.Cmd[0] != "sh" {
		t.Fatalf("%+v", img)
	}
	if img.Layers[2].CreatedBy != "step 2" || img.Layers[0].Comment != "base" {
		t.Errorf("history: %+v", img.History)
	}
	for _, tc := range []struct {
		layer int
		path  string
		want  string
	}{
		{0, "/etc/motd", "hello"}, {3, "/etc/motd", "changed"}, {1, "/app/data", "version 1"}, {2, "/app/data", "version 2!"},
		{3, "/app/data", "open /app/data: not found"}, {3, "/bin/sh", "shell"}, {3, "/etc/old", "open /etc/old: not found"}, {2, "/etc/old", "12345678"},
		{3, "/etc", "open /etc: not a regular file: invalid argument"}, {3, "/../etc/motd", `open /../etc/motd: "/../etc/motd" is not the path of a file: invalid argument`},
	} {
		if got := readFile(t, st, img, tc.layer, tc.path); got != tc.want {
			t.Errorf("layer %d %s: %q, want %q", tc.layer, tc.path, got, tc.want)
		}
	}
	s, err := st.Images.LayerStats(t.Context(), img, 3)
	if err != nil || s.Added != 1 || s.Deleted != 2 || s.Modified != 0 || s.Wasted != 8+10 {
		t.Errorf("statistics of the top layer: %+v, %v", s, err)
	}
	s, err = st.Images.LayerStats(t.Context(), img, 2)
	if err != nil || s.Modified != 2 || s.Added != 0 || s.Wasted != 5+9 {
		t.Errorf("statistics of the third layer: %+v, %v", s, err)
	}
	// The implied directories kept what the layers below say of them.
	if size := img.Size; size != 5+5+8+9+7+10+1 {
		t.Errorf("size %d", size)
	}
	st.Close()

	st = open(t, root)
	again, err := st.Images.Resolve(t.Context(), "starter")
	if err != nil || again.ID != img.ID || len(again.Layers) != 4 {
		t.Fatalf("after reopen: %+v, %v", again, err)
	}
	// A config for each of the four images that were made on the way.
	if blobs, snaps := contents(t, st); blobs != 4+4 || snaps != 4 {
		t.Errorf("%d blobs, %d snapshots", blobs, snaps)
	}
}

func TestSaveAndLoadElsewhere(t *testing.T) {
	a, b := open(t, t.TempDir()), open(t, t.TempDir())
	img := starter(t, a)
	if err := a.Images.Tag(t.Context(), "starter", "example.com:5000/team/app:v1"); err != nil {
		t.Fatal(err)
	}
	var first, second bytes.Buffer
	refs := []string{"starter", img.ID.String(), "example.com:5000/team/app:v1"}
	if err := a.Images.Save(t.Context(), &first, refs); err != nil {
		t.Fatal(err)
	}
	if err := a.Images.Save(t.Context(), &second, refs); err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Errorf("two archives of the same images differ, %v", err)
	}
	// docker's archives tell by the time of the config when the image was made.
	for r := tar.NewReader(bytes.NewReader(first.Bytes())); ; {
		h, err := r.Next()
		if err != nil {
			t.Fatalf("the config is not in the archive: %v", err)
		}
		if strings.HasSuffix(h.Name, img.ID.Encoded()) {
			if !h.ModTime.Equal(img.Config.Created.Truncate(time.Second)) {
				t.Errorf("the config is of %v, not %v", h.ModTime, img.Config.Created)
			}
			break
		}
	}
	loaded, err := b.Images.Load(t.Context(), &first)
	if err != nil || len(loaded) != 2 {
		t.Fatalf("%+v, %v", loaded, err)
	}
	got, err := b.Images.Resolve(t.Context(), "starter")
	if err != nil || got.ID != img.ID || len(got.RepoTags) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	if c := readFile(t, b, got, 3, "/app/new"); c != "n" {
		t.Errorf("content %q", c)
	}
	var third bytes.Buffer
	if err := b.Images.Save(t.Context(), &third, refs); err != nil || !bytes.Equal(second.Bytes(), third.Bytes()) {
		t.Errorf("an archive of what was loaded differs, %v", err)
	}
}

func TestRemoveGivesBackWhatNothingElseUses(t *testing.T) {
	st := open(t, t.TempDir())
	ctx := t.Context()
	img := starter(t, st)
	other, err := st.Images.Append(ctx, bytes.NewReader(tarOf(t, "x", "y")), image.NewImage{Parent: "starter:base", Name: "other"})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Images.Tag(ctx, "starter", "starter:two"); err != nil {
		t.Fatal(err)
	}
	steps, err := st.Images.Remove(ctx, "starter:two", image.RemoveOptions{})
	if err != nil || !slices.Equal(steps, []image.Removed{{Untagged: "starter:two"}}) {
		t.Fatalf("%+v, %v", steps, err)
	}
	busy := errdefs.ErrConflict
	if _, err := st.Images.Remove(ctx, "starter", image.RemoveOptions{InUse: func(digest.Digest) error { return busy }}); !errdefs.IsConflict(err) {
		t.Fatalf("remove of an image in use: %v", err)
	}
	// A container keeps the layers, also when its image goes.
	top, err := st.Images.Unpack(ctx, img.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Snapshots.Prepare(ctx, "container", top); err != nil {
		t.Fatal(err)
	}
	// What others were made of goes with the last of them, not before.
	between := dangling(t, st)
	if len(between) != 2 {
		t.Fatalf("images without a name: %v", between)
	}
	for _, ref := range between {
		if _, err := st.Images.Remove(ctx, ref, image.RemoveOptions{Force: true}); !errors.Is(err, image.ErrHasChildren) {
			t.Fatalf("an image that others were made of: %v", err)
		}
	}
	steps, err = st.Images.Remove(ctx, "starter", image.RemoveOptions{Parents: true})
	if err != nil || len(steps) != 4 || steps[0].Untagged != "starter:latest" || steps[1].Deleted != img.ID.String() || len(dangling(t, st)) != 0 {
		t.Fatalf("%+v, %v", steps, err) // and no layer: the container has them
	}
	if err := st.Snapshots.Remove(ctx, "container"); err != nil {
		t.Fatal(err)
	}
	steps, err = st.Images.Remove(ctx, "starter:base", image.RemoveOptions{Parents: true})
	if err != nil || !slices.Equal(steps, []image.Removed{{Untagged: "starter:base"}}) {
		t.Fatalf("%+v, %v", steps, err)
	}
	steps, err = st.Images.Remove(ctx, other.ID.Encoded()[:12], image.RemoveOptions{Parents: true})
	if err != nil || len(steps) != 3+5 {
		t.Fatalf("%+v, %v", steps, err) // two images; their layers and the three that were the container's
	}
	if blobs, snaps := contents(t, st); blobs != 0 || snaps != 0 {
		t.Errorf("%d blobs and %d snapshots are left", blobs, snaps)
	}
}

// dangling lists the images without a name.
func dangling(t testing.TB, st *store.Store) (ids []string) {
	t.Helper()
	all, err := st.Images.List(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, img := range all {
		if len(img.RepoTags) == 0 {
			ids = append(ids, img.ID.String())
		}
	}
	return ids
}

func TestResolve(t *testing.T) {
	st := open(t, t.TempDir())
	img := starter(t, st)
	for _, ref := range []string{"starter", "starter:latest", "docker.io/library/starter", img.ID.String(), img.ID.Encoded(), img.ID.Encoded()[:12], "sha256:" + img.ID.Encoded()[:8]} {
		if got, err := st.Images.Resolve(t.Context(), ref); err != nil || got.ID != img.ID {
			t.Errorf("%s: %s, %v", ref, got.ID, err)
		}
	}
	wrong := "0"
	if img.ID.Encoded()[12] == '0' {
		wrong = "1"
	}
	for _, ref := range []string{"nosuch", "starter:nosuch", "sha256:" + strings.Repeat("0", 20), img.ID.Encoded()[:12] + wrong, "starter@" + img.ID.String()} {
		if _, err := st.Images.Resolve(t.Context(), ref); !errdefs.IsNotFound(err) {
			t.Errorf("%s: %v, want kind NotFound", ref, err)
		}
	}
	for _, ref := range []string{"", "lib/UPPER", "a b", "-x", "x:y:z", "../x"} {
		if _, err := st.Images.Resolve(t.Context(), ref); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%q: %v, want kind InvalidArgument", ref, err)
		}
	}
}

func TestCommitSnapshotIsReproducible(t *testing.T) {
	st := open(t, t.TempDir())
	ctx := t.Context()
	img := starter(t, st)
	top, err := st.Images.Unpack(ctx, img.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Snapshots.Prepare(ctx, "c", top); err != nil {
		t.Fatal(err)
	}
	dirs, err := st.Snapshots.Dirs(ctx, "c")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dirs.Upper, "made"), []byte("by hand"), 0o600); err != nil {
		t.Fatal(err)
	}
	n := image.NewImage{Parent: img.ID.String(), Name: "c:1", Created: time.Unix(5, 0), Changes: []string{"USER me"}}
	one, err := st.Images.CommitSnapshot(ctx, "c", image.CommitOptions{}, n)
	if err != nil {
		t.Fatal(err)
	}
	two, err := st.Images.CommitSnapshot(ctx, "c", image.CommitOptions{}, n)
	if err != nil || one.ID != two.ID {
		t.Errorf("committed again: %s and %s, %v", one.ID, two.ID, err)
	}
	if len(one.Layers) != 5 || one.Config.Config.User != "me" || one.Parent != img.ID || readFile(t, st, one, 4, "/made") != "by hand" {
		t.Errorf("%+v", one)
	}
}

var (
	removeAll = image.RemoveOptions{Force: true}
	fixed     = time.Unix(1000, 0)
)
