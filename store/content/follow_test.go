package content

import (
	"errors"
	"io"
	"os"
	"testing"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func opened(t *testing.T) *Store {
	t.Helper()
	s, done := open(t, t.TempDir())
	t.Cleanup(done)
	return s
}

// follow reads a writer's blob to its end in the background.
func follow(t *testing.T, s *Store, w content.Writer) (end func() (string, error), r io.ReadCloser) {
	t.Helper()
	r, err := s.Follow(w)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	var data []byte
	done := make(chan struct{})
	go func() {
		defer close(done)
		data, err = io.ReadAll(r)
	}()
	return func() (string, error) { <-done; return string(data), err }, r
}

func TestFollow(t *testing.T) {
	s := opened(t)
	w := openWriter(t, s, "ref", ocispec.Descriptor{})
	write(t, w, "first ")
	end, _ := follow(t, s, w)
	write(t, w, "second")
	if err := w.Commit(t.Context(), 12, digest.FromString("first second")); err != nil {
		t.Fatal(err)
	}
	if got, err := end(); got != "first second" || err != nil {
		t.Errorf("followed %q, %v", got, err)
	}
	if _, err := s.Follow(w); !errdefs.IsFailedPrecondition(err) {
		t.Errorf("follow a closed writer: %v", err)
	}
}

func TestFollowWhatFails(t *testing.T) {
	for name, fail := range map[string]func(w content.Writer){
		"closed":       func(w content.Writer) { w.Close() },
		"wrong digest": func(w content.Writer) { w.Commit(t.Context(), 5, digest.FromString("other")) },
		"wrong size":   func(w content.Writer) { w.Commit(t.Context(), 4, "") },
	} {
		s := opened(t)
		w := openWriter(t, s, "ref", ocispec.Descriptor{})
		end, _ := follow(t, s, w)
		write(t, w, "bytes")
		fail(w)
		if _, err := end(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %v, want unexpected EOF", name, err)
		}
	}

	s := opened(t)
	w := openWriter(t, s, "ref", ocispec.Descriptor{})
	write(t, w, "bytes")
	end, r := follow(t, s, w)
	r.Close()
	if _, err := end(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("closed follower: %v", err)
	}
	r, err := s.Follow(w)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadFull(r, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	if err := w.Truncate(2); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("truncated below the follower: %v", err)
	}
	w.Close()
	other := opened(t)
	if _, err := s.Follow(openWriter(t, other, "ref", ocispec.Descriptor{})); !errdefs.IsInvalidArgument(err) {
		t.Errorf("follow another store's writer: %v", err)
	}
}
