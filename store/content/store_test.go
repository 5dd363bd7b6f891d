package content

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/content/testsuite"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"berth/store/meta"
)

func open(t *testing.T, root string) (*Store, func()) {
	t.Helper()
	db, err := meta.Open(filepath.Join(root, "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(root, db, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s, func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestContainerdSuite holds the store to containerd's own contract.
func TestContainerdSuite(t *testing.T) {
	testsuite.ContentSuite(t, "berth", func(ctx context.Context, root string) (context.Context, content.Store, func() error, error) {
		db, err := meta.Open(filepath.Join(root, "meta.db"))
		if err != nil {
			return nil, nil, nil, err
		}
		s, err := Open(root, db, Options{})
		return ctx, s, db.Close, err
	})
}

func put(t *testing.T, s *Store, data string) digest.Digest {
	t.Helper()
	dgst := digest.FromString(data)
	desc := ocispec.Descriptor{Digest: dgst, Size: int64(len(data))}
	if err := content.WriteBlob(t.Context(), s, "ref-"+dgst.Encoded(), strings.NewReader(data), desc); err != nil {
		t.Fatal(err)
	}
	return dgst
}

func TestOpenRemovesLeftoversOfACrash(t *testing.T) {
	root := t.TempDir()
	s, closeDB := open(t, root)
	kept := put(t, s, "kept")
	lost := put(t, s, "lost")
	cut := put(t, s, "cut short")
	// What a crash can leave: a blob renamed but not recorded, and (on a
	// disk that lies about fsync) records whose blob is gone or short.
	stray := s.Path(digest.FromString("stray"))
	if err := os.WriteFile(stray, []byte("stray"), 0o400); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(s.Path(lost)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(s.Path(cut), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(s.Path(cut), 3); err != nil {
		t.Fatal(err)
	}
	// One ingest that can be resumed, one that cannot, one that was committed but for its record.
	for ref, dgst := range map[string]digest.Digest{"resumable": digest.FromString("abcdef"), "spool": "", "renamed": digest.FromString("abc")} {
		w, err := s.Writer(t.Context(), content.WithRef(ref), content.WithDescriptor(ocispec.Descriptor{Digest: dgst}))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("abc")); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(filepath.Join(s.ingestDir("renamed"), "data"), s.Path(digest.FromString("abc"))); err != nil {
		t.Fatal(err)
	}
	closeDB()

	s, closeDB = open(t, root)
	defer closeDB()
	if _, err := os.Stat(s.ingestDir("renamed")); !os.IsNotExist(err) {
		t.Errorf("what is left of an ingest that was committed: %v", err)
	}
	if b, err := content.ReadBlob(t.Context(), s, ocispec.Descriptor{Digest: kept}); err != nil || string(b) != "kept" {
		t.Errorf("complete blob: %q, %v", b, err)
	}
	for _, dgst := range []digest.Digest{lost, cut} {
		if _, err := s.Info(t.Context(), dgst); !errdefs.IsNotFound(err) {
			t.Errorf("damaged blob is still listed: %v", err)
		}
	}
	if _, err := os.Stat(stray); !os.IsNotExist(err) {
		t.Errorf("blob without record is still there: %v", err)
	}
	list, err := s.ListStatuses(t.Context())
	if err != nil || len(list) != 1 || list[0].Ref != "resumable" || list[0].Offset != 3 {
		t.Errorf("ingests after open: %+v, %v", list, err)
	}
	if err := s.Abort(t.Context(), "resumable"); err != nil {
		t.Error(err)
	}
	if err := s.Abort(t.Context(), "resumable"); !errdefs.IsNotFound(err) {
		t.Errorf("abort of nothing: %v", err)
	}
}

func TestInvalidDigests(t *testing.T) {
	s, closeDB := open(t, t.TempDir())
	defer closeDB()
	for _, dgst := range []digest.Digest{"", "sha256:", "sha256:../../etc/passwd", "sha256:abc", digest.SHA512.FromString("x"), "no:such"} {
		if _, err := s.ReaderAt(t.Context(), ocispec.Descriptor{Digest: dgst}); !errdefs.IsInvalidArgument(err) {
			t.Errorf("read %q: %v, want kind InvalidArgument", dgst, err)
		}
		if err := s.Delete(t.Context(), dgst); !errdefs.IsInvalidArgument(err) {
			t.Errorf("delete %q: %v, want kind InvalidArgument", dgst, err)
		}
	}
}

func TestHoldIsCalledBeforeABlobIsVisible(t *testing.T) {
	root := t.TempDir()
	db, err := meta.Open(filepath.Join(root, "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var s *Store
	var held []digest.Digest
	s, err = Open(root, db, Options{Hold: func(d digest.Digest) {
		if _, err := s.Info(t.Context(), d); len(held) == 0 && err == nil {
			t.Error("blob is visible before it is held")
		}
		held = append(held, d)
	}})
	if err != nil {
		t.Fatal(err)
	}
	dgst := put(t, s, "data")
	if _, err := s.Writer(t.Context(), content.WithRef("again"), content.WithDescriptor(ocispec.Descriptor{Digest: dgst})); !errdefs.IsAlreadyExists(err) {
		t.Fatalf("writer for a present blob: %v", err)
	}
	if len(held) < 2 || held[len(held)-1] != dgst {
		t.Errorf("held %v, want also the blob found present", held)
	}
}

func TestDeletedBlobStaysReadableWhereOpen(t *testing.T) {
	s, closeDB := open(t, t.TempDir())
	defer closeDB()
	dgst := put(t, s, "data")
	ra, err := s.ReaderAt(t.Context(), ocispec.Descriptor{Digest: dgst})
	if err != nil {
		t.Fatal(err)
	}
	defer ra.Close()
	if err := s.Delete(t.Context(), dgst); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4)
	if _, err := ra.ReadAt(buf, 0); err != nil || !bytes.Equal(buf, []byte("data")) {
		t.Errorf("read %q, %v", buf, err)
	}
	if err := s.Delete(t.Context(), dgst); !errdefs.IsNotFound(err) {
		t.Errorf("second delete: %v", err)
	}
}
