package image_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/errdefs"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"berth/store"
	"berth/store/diff"
	"berth/store/image"
)

// container prepares and mounts a writable layer on an image.
func container(t *testing.T, st *store.Store, id, ref string) (root string) {
	t.Helper()
	img, err := st.Images.Resolve(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	top, err := st.Images.Unpack(t.Context(), img.ID)
	if err != nil {
		t.Fatal(err)
	}
	mounts, err := st.Snapshots.Prepare(t.Context(), id, top)
	if err != nil {
		t.Fatal(err)
	}
	root = t.TempDir()
	if err := mount.All(mounts, root); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := mount.UnmountAll(root, 0); err != nil {
			t.Error(err)
		}
	})
	return root
}

func treeOf(t *testing.T, root string) []byte {
	t.Helper()
	if err := os.Chtimes(root, fixed, fixed); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := diff.WriteTar(t.Context(), &b, root, diff.TarOptions{Root: true}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestCommittedContainerLooksTheSame does to a mounted container what the
// layer format must express, commits it, and compares a container of the new
// image with the old one.
func TestCommittedContainerLooksTheSame(t *testing.T) {
	st := open(t, t.TempDir())
	starter(t, st)
	root := container(t, st, "one", "starter")
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"modify", func() error { return os.WriteFile(root+"/etc/motd", []byte("mine"), 0o644) }},
		{"delete", func() error { return os.Remove(root + "/bin/sh") }},
		{"replace a directory", func() error {
			return errors.Join(os.RemoveAll(root+"/app"), os.Mkdir(root+"/app", 0o700), os.WriteFile(root+"/app/x", nil, 0o600))
		}},
		{"hard link", func() error { return os.Link(root+"/etc/motd", root+"/motd") }},
		{"symbolic link", func() error { return os.Symlink("/etc/motd", root+"/link") }},
		{"device", func() error { return unix.Mknod(root+"/null", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))) }},
		{"setuid", func() error {
			return errors.Join(os.WriteFile(root+"/su", nil, 0o755), os.Chmod(root+"/su", 0o755|os.ModeSetuid))
		}},
		{"xattr", func() error { return unix.Setxattr(root+"/su", "user.note", []byte("\x00\xff"), 0) }},
		{"owner", func() error { return os.Lchown(root+"/link", 12, 34) }},
		{"name of any bytes", func() error { return os.WriteFile(root+"/\xff\xfe", nil, 0o644) }},
		{"long names", func() error { return os.MkdirAll(root+strings.Repeat("/"+strings.Repeat("d", 200), 10), 0o755) }},
		{"root", func() error { return os.Chmod(root, 0o711) }},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
	}
	before := treeOf(t, root)
	img, err := st.Images.CommitSnapshot(t.Context(), "one", image.CommitOptions{}, image.NewImage{Parent: "starter", Name: "committed"})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, treeOf(t, container(t, st, "two", "committed"))) {
		t.Error("a container of the committed image looks different")
	}
	stats, err := st.Images.LayerStats(t.Context(), img, len(img.Layers)-1)
	if err != nil || stats.Deleted != 2 || stats.Modified < 2 {
		t.Errorf("%+v, %v", stats, err)
	}
	// And on another machine.
	other := open(t, t.TempDir())
	var b bytes.Buffer
	if err := st.Images.Save(t.Context(), &b, []string{"committed"}); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Images.Load(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, treeOf(t, container(t, other, "three", "committed"))) {
		t.Error("a container of the image elsewhere looks different")
	}
}

func TestAsManyLayersAsDockerAllows(t *testing.T) {
	st := open(t, t.TempDir())
	parent := ""
	for i := range 127 {
		img, err := st.Images.Append(t.Context(), bytes.NewReader(tarOf(t, fmt.Sprintf("f%d", i), "x", "last", fmt.Sprint(i))), image.NewImage{Parent: parent, Name: "deep"})
		if err != nil {
			t.Fatal(err)
		}
		parent = img.ID.String()
	}
	root := container(t, st, "c", "deep")
	names, err := os.ReadDir(root)
	last, rerr := os.ReadFile(root + "/last")
	if err != nil || rerr != nil || len(names) != 128 || string(last) != "126" {
		t.Errorf("%d names, last is %q; %v, %v", len(names), last, err, rerr)
	}
}

func TestImportCompressed(t *testing.T) {
	st := open(t, t.TempDir())
	data := tarOf(t, "f", "content")
	var gz, zs bytes.Buffer
	w := gzip.NewWriter(&gz)
	w.Write(data)
	w.Close()
	z, err := zstd.NewWriter(&zs)
	if err != nil {
		t.Fatal(err)
	}
	z.Write(data)
	z.Close()
	var diffIDs []digest.Digest
	for mediaType, stream := range map[string][]byte{
		ocispec.MediaTypeImageLayer: data, ocispec.MediaTypeImageLayerGzip: gz.Bytes(), ocispec.MediaTypeImageLayerZstd: zs.Bytes(),
	} {
		img, err := st.Images.Import(t.Context(), bytes.NewReader(stream), image.NewImage{Comment: mediaType})
		if err != nil {
			t.Fatal(err)
		}
		l := img.Layers[0]
		if l.Descriptor.MediaType != mediaType || l.Descriptor.Digest != digest.FromBytes(stream) || l.Size != 7 || len(img.RepoTags) != 0 {
			t.Errorf("%s: %+v", mediaType, l)
		}
		diffIDs = append(diffIDs, l.DiffID)
	}
	if len(slices.Compact(diffIDs)) != 1 || diffIDs[0] != digest.FromBytes(data) {
		t.Errorf("diff IDs %v", diffIDs)
	}
	if _, snaps := contents(t, st); snaps != 1 {
		t.Errorf("the same layer is unpacked %d times", snaps)
	}
}

// TestImportCompressedOtherwise stores what no media type tells of uncompressed.
func TestImportCompressedOtherwise(t *testing.T) {
	for _, program := range []string{"xz", "bzip2"} {
		t.Run(program, func(t *testing.T) {
			st := open(t, t.TempDir())
			data := tarOf(t, "f", "content")
			img, err := st.Images.Import(t.Context(), bytes.NewReader(compressed(t, program, data)), image.NewImage{})
			if err != nil {
				t.Fatal(err)
			}
			if l := img.Layers[0]; l.Descriptor.MediaType != ocispec.MediaTypeImageLayer || l.Descriptor.Digest != digest.FromBytes(data) {
				t.Errorf("%+v", l)
			}
		})
	}
}

// compressed compresses data with a program.
func compressed(t *testing.T, program string, data []byte) []byte {
	t.Helper()
	cmd := exec.Command(program, "-c")
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.Output()
	if err != nil { // busybox's can only read
		t.Skipf("there is no %s to compress with: %v", program, err)
	}
	return out
}

// brokenReader fails in the middle, as a client that goes away does.
type brokenReader struct{ r io.Reader }

func (b *brokenReader) Read(p []byte) (int, error) {
	n, err := b.r.Read(p[:min(len(p), 700)])
	if err == io.EOF {
		err = errors.New("connection reset")
	}
	return n, err
}

func TestWhatFailsLeavesNothing(t *testing.T) {
	st := open(t, t.TempDir())
	good := tarOf(t, "f", "content")
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, try := range map[string]func() error{
		"import of a hostile tar": func() error {
			_, err := st.Images.Import(t.Context(), bytes.NewReader(tarOf(t, "f", "x", "../evil", "x")), image.NewImage{Name: "a"})
			return err
		},
		"import of a tar that is cut off": func() error {
			_, err := st.Images.Import(t.Context(), bytes.NewReader(good[:700]), image.NewImage{Name: "a"})
			return err
		},
		"import of a tar that is cut off after an entry": func() error {
			_, err := st.Images.Import(t.Context(), bytes.NewReader(good[:1024]), image.NewImage{Name: "a"})
			return err
		},
		"import of nothing": func() error {
			_, err := st.Images.Import(t.Context(), bytes.NewReader(nil), image.NewImage{Name: "a"})
			return err
		},
		"import from a client that goes away": func() error {
			_, err := st.Images.Import(t.Context(), &brokenReader{bytes.NewReader(good)}, image.NewImage{Name: "a"})
			return err
		},
		"canceled import": func() error {
			_, err := st.Images.Import(canceled, bytes.NewReader(good), image.NewImage{Name: "a"})
			return err
		},
		"canceled load": func() error {
			_, err := st.Images.Load(canceled, bytes.NewReader(legacyArchive(t)))
			return err
		},
		"bad change": func() error {
			_, err := st.Images.Import(t.Context(), bytes.NewReader(good), image.NewImage{Changes: []string{"FROM x"}})
			return err
		},
		"bad name": func() error {
			_, err := st.Images.Import(t.Context(), bytes.NewReader(good), image.NewImage{Name: "Bad Name"})
			return err
		},
		"missing parent": func() error {
			_, err := st.Images.Append(t.Context(), bytes.NewReader(good), image.NewImage{Parent: "nosuch"})
			return err
		},
		"commit of a missing snapshot": func() error {
			_, err := st.Images.CommitSnapshot(t.Context(), "nosuch", image.CommitOptions{}, image.NewImage{})
			return err
		},
		"parts that are missing": func() error {
			_, err := st.Images.Register(t.Context(), image.Parts{Config: ocispec.Descriptor{Digest: digest.FromString("x")}})
			return err
		},
		"save of what is missing": func() error { return st.Images.Save(t.Context(), io.Discard, []string{"nosuch"}) },
		"tag of what is missing":  func() error { return st.Images.Tag(t.Context(), "nosuch", "a") },
		"tag of a bad name":       func() error { return st.Images.Tag(t.Context(), "nosuch", "A B") },
	} {
		if err := try(); err == nil {
			t.Errorf("%s succeeds", name)
		}
		wantNothing(t, st)
	}
}

func TestSaveToAClientThatGoesAway(t *testing.T) {
	st := open(t, t.TempDir())
	img := starter(t, st)
	r, w := io.Pipe()
	go func() {
		io.CopyN(io.Discard, r, 2000)
		r.CloseWithError(errors.New("gone"))
	}()
	if err := st.Images.Save(t.Context(), w, []string{"starter"}); err == nil || !strings.Contains(err.Error(), "gone") {
		t.Errorf("%v", err)
	}
	if err := st.Images.Tag(t.Context(), "starter", "second/name"); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Images.Remove(t.Context(), img.ID.String(), image.RemoveOptions{}); !errdefs.IsConflict(err) {
		t.Errorf("removal by ID of an image with two names: %v, want kind Conflict", err)
	}
	if _, err := st.Images.Indexes(t.Context(), img, 4); !errdefs.IsNotFound(err) {
		t.Errorf("a layer that is not: %v", err)
	}
}
