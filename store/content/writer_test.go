package content

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"
)

func openWriter(t *testing.T, s *Store, ref string, desc ocispec.Descriptor) content.Writer {
	t.Helper()
	w, err := s.Writer(t.Context(), content.WithRef(ref), content.WithDescriptor(desc))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func write(t *testing.T, w io.Writer, data string) {
	t.Helper()
	if _, err := io.WriteString(w, data); err != nil {
		t.Fatal(err)
	}
}

// TestFullDiskLeavesNoIngest: the description of an ingest did not fit, and its
// empty directory stayed.
func TestFullDiskLeavesNoIngest(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to mount a small file system")
	}
	root := t.TempDir()
	if err := unix.Mount("tmpfs", root, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatal(err)
	}
	defer unix.Unmount(root, unix.MNT_DETACH)
	s, closeDB := open(t, root)
	defer closeDB()
	fill, err := os.Create(filepath.Join(root, "fill"))
	if err != nil {
		t.Fatal(err)
	}
	defer fill.Close()
	for err == nil {
		_, err = fill.Write(make([]byte, 4096))
	}
	if _, err := s.Writer(t.Context(), content.WithRef("one")); !errors.Is(err, unix.ENOSPC) {
		t.Errorf("writer on a full disk: %v", err)
	}
	left, err := os.ReadDir(s.ingestDir(""))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestResumeAfterRestart goes on with a download that an earlier process
// began.
func TestResumeAfterRestart(t *testing.T) {
	root := t.TempDir()
	desc := ocispec.Descriptor{Digest: digest.FromString("one two"), Size: 7}
	s, closeDB := open(t, root)
	w := openWriter(t, s, "pull", desc)
	write(t, w, "one ")
	started, err := w.Status()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.(content.Syncer).Sync(); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	closeDB()

	s, closeDB = open(t, root)
	defer closeDB()
	st, err := s.Status(t.Context(), "pull")
	if err != nil || st.Offset != 4 || st.Total != 7 || st.Expected != desc.Digest || !st.StartedAt.Equal(started.StartedAt) {
		t.Fatalf("%+v, %v", st, err)
	}
	w = openWriter(t, s, "pull", desc)
	write(t, w, "two")
	if err := w.Commit(t.Context(), desc.Size, desc.Digest); err != nil {
		t.Fatal(err)
	}
	if b, err := content.ReadBlob(t.Context(), s, desc); err != nil || string(b) != "one two" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := s.Status(t.Context(), "pull"); !errdefs.IsNotFound(err) {
		t.Errorf("status of a committed ingest: %v", err)
	}
}

func TestTruncate(t *testing.T) {
	s, closeDB := open(t, t.TempDir())
	defer closeDB()
	w := openWriter(t, s, "x", ocispec.Descriptor{})
	write(t, w, "good bad")
	for _, size := range []int64{-1, 9} {
		if err := w.Truncate(size); !errdefs.IsInvalidArgument(err) {
			t.Errorf("truncate to %d: %v", size, err)
		}
	}
	if err := w.Truncate(5); err != nil {
		t.Fatal(err)
	}
	write(t, w, "end")
	if w.Digest() != digest.FromString("good end") {
		t.Errorf("digest %s", w.Digest())
	}
	if err := w.Commit(t.Context(), 8, digest.FromString("good end")); err != nil {
		t.Error(err)
	}
}

func TestClosedWriter(t *testing.T) {
	s, closeDB := open(t, t.TempDir())
	defer closeDB()
	w := openWriter(t, s, "x", ocispec.Descriptor{})
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := w.Write([]byte("x"))
	for _, err := range []error{err, w.Truncate(0), w.(content.Syncer).Sync(), w.Commit(t.Context(), 0, "")} {
		if !errdefs.IsFailedPrecondition(err) {
			t.Errorf("%v, want kind FailedPrecondition", err)
		}
	}
	if err := w.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

func TestBadOptions(t *testing.T) {
	s, closeDB := open(t, t.TempDir())
	defer closeDB()
	mine := errors.New("mine")
	for name, tc := range map[string]struct {
		opts []content.WriterOpt
		want func(error) bool
	}{
		"no reference": {nil, errdefs.IsInvalidArgument},
		"bad digest":   {[]content.WriterOpt{content.WithRef("x"), content.WithDescriptor(ocispec.Descriptor{Digest: "sha256:zz"})}, errdefs.IsInvalidArgument},
		"failing":      {[]content.WriterOpt{func(*content.WriterOpts) error { return mine }}, func(err error) bool { return errors.Is(err, mine) }},
	} {
		if _, err := s.Writer(t.Context(), tc.opts...); !tc.want(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.ListStatuses(t.Context(), "bad filter=="); !errdefs.IsInvalidArgument(err) {
		t.Errorf("bad filter: %v", err)
	}
	if err := s.Walk(t.Context(), nil, "bad filter=="); !errdefs.IsInvalidArgument(err) {
		t.Errorf("bad filter: %v", err)
	}
}

func TestWalkAndListByFilters(t *testing.T) {
	s, closeDB := open(t, t.TempDir())
	defer closeDB()
	a, b := put(t, s, "a"), put(t, s, "b")
	if _, err := s.Update(t.Context(), content.Info{Digest: a, Labels: map[string]string{"keep": "yes"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Update(t.Context(), content.Info{Digest: digest.FromString("none")}); !errdefs.IsNotFound(err) {
		t.Errorf("update of a missing blob: %v", err)
	}
	if _, err := s.Update(t.Context(), content.Info{Digest: a}, "size"); !errdefs.IsInvalidArgument(err) {
		t.Errorf("update of the size: %v", err)
	}
	for filter, want := range map[string][]digest.Digest{"labels.keep==yes": {a}, "digest==" + b.String(): {b}, "labels.keep==no": nil} {
		var got []digest.Digest
		err := s.Walk(t.Context(), func(i content.Info) error { got = append(got, i.Digest); return nil }, filter)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v", filter, got, err)
		}
	}
	openWriter(t, s, "pull-1", ocispec.Descriptor{})
	openWriter(t, s, "push-1", ocispec.Descriptor{})
	list, err := s.ListStatuses(t.Context(), "ref~=pull")
	if err != nil || len(list) != 1 || list[0].Ref != "pull-1" {
		t.Errorf("%+v, %v", list, err)
	}
	if err := s.Abort(t.Context(), "pull-1"); !errdefs.IsUnavailable(err) {
		t.Errorf("abort under an open writer: %v", err)
	}
}

// TestSameBlobAtOnce writes one blob under many references: one is first, the
// others learn that it is there, and it stays whole.
func TestSameBlobAtOnce(t *testing.T) {
	s, closeDB := open(t, t.TempDir())
	defer closeDB()
	data := strings.Repeat("data", 10000)
	var wg sync.WaitGroup
	results := make([]error, 8)
	for i := range results {
		wg.Go(func() {
			w, err := s.Writer(context.Background(), content.WithRef(strings.Repeat("r", i+1)))
			if err == nil {
				_, err = io.WriteString(w, data)
			}
			if err == nil {
				err = w.Commit(context.Background(), int64(len(data)), digest.FromString(data))
			}
			results[i] = err
		})
	}
	wg.Wait()
	first := 0
	for _, err := range results {
		if err == nil {
			first++
		} else if !errdefs.IsAlreadyExists(err) {
			t.Error(err)
		}
	}
	if b, err := content.ReadBlob(t.Context(), s, ocispec.Descriptor{Digest: digest.FromString(data)}); first != 1 || err != nil || string(b) != data {
		t.Errorf("%d were first, the blob has %d bytes, %v", first, len(b), err)
	}
	if list, err := s.ListStatuses(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("ingests are left: %+v, %v", list, err)
	}
}

// TestZerosTakeNoRoom writes a blob with zeros at its end, and reads behind.
func TestZerosTakeNoRoom(t *testing.T) {
	s, closeDB := open(t, t.TempDir())
	defer closeDB()
	w := openWriter(t, s, "zeros", ocispec.Descriptor{})
	r, err := s.Follow(w)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data := append([]byte("begin"), make([]byte, 10<<20)...)
	if n, err := w.Write(data); n != len(data) || err != nil {
		t.Fatalf("wrote %d bytes, %v", n, err)
	}
	got := make([]byte, len(data))
	if _, err := io.ReadFull(r, got); err != nil || !bytes.Equal(got, data) {
		t.Errorf("what was written is not what can be read: %v", err)
	}
	if err := w.Commit(t.Context(), int64(len(data)), digest.FromBytes(data)); err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Stat(s.Path(w.Digest()), &st); err != nil || st.Size != int64(len(data)) || st.Blocks*512 > 64<<10 {
		t.Errorf("%d bytes take %d, %v", st.Size, st.Blocks*512, err)
	}
	if err := s.Verify(t.Context(), w.Digest()); err != nil {
		t.Error(err)
	}
}
