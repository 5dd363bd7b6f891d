package lease_test

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"
	"time"

	ccontent "github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"berth/store/content"
	"berth/store/gc"
	"berth/store/lease"
	"berth/store/meta"
)

func open(t *testing.T) (*lease.Store, *content.Store) {
	t.Helper()
	dir := t.TempDir()
	db, err := meta.Open(filepath.Join(dir, "meta.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	blobs, err := content.Open(dir, db, content.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := lease.Open(db)
	if err != nil {
		t.Fatal(err)
	}
	return s, blobs
}

func withID(id string) leases.Opt { return func(l *leases.Lease) error { l.ID = id; return nil } }

func TestLife(t *testing.T) {
	ctx := context.Background()
	s, _ := open(t)
	if _, err := s.Create(ctx); !errdefs.IsInvalidArgument(err) {
		t.Errorf("a lease without ID: %v", err)
	}
	l, err := s.Create(ctx, withID("a"), leases.WithLabels(map[string]string{"k": "v"}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(ctx, withID("a")); !errdefs.IsAlreadyExists(err) {
		t.Errorf("the same again: %v", err)
	}
	if _, err := s.Create(ctx, withID("b")); err != nil {
		t.Fatal(err)
	}
	for filter, want := range map[string]int{"": 2, "id==b": 1, `labels."k"`: 1, `labels."k"==x`: 0} {
		var fs []string
		if filter != "" {
			fs = append(fs, filter)
		}
		if all, err := s.List(ctx, fs...); err != nil || len(all) != want {
			t.Errorf("%q lists %v, %v", filter, all, err)
		}
	}
	if _, err := s.List(ctx, "=="); !errdefs.IsInvalidArgument(err) {
		t.Errorf("a filter that is none: %v", err)
	}
	r := leases.Resource{ID: "x", Type: "snapshots/overlayfs"}
	for range 2 {
		if err := s.AddResource(ctx, l, r); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := s.ListResources(ctx, l); err != nil || len(all) != 1 || all[0] != r {
		t.Errorf("it keeps %v, %v", all, err)
	}
	if err := s.AddResource(ctx, l, leases.Resource{ID: "x", Type: "ingests"}); !errdefs.IsNotImplemented(err) {
		t.Errorf("a type that is not kept: %v", err)
	}
	if err := s.DeleteResource(ctx, l, r); err != nil {
		t.Fatal(err)
	}
	if all, err := s.ListResources(ctx, l); err != nil || len(all) != 0 {
		t.Errorf("it still keeps %v, %v", all, err)
	}
	if err := s.Delete(ctx, l); err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{
		"delete": s.Delete(ctx, l), "add": s.AddResource(ctx, l, r), "take": s.DeleteResource(ctx, l, r),
	} {
		if !errdefs.IsNotFound(err) {
			t.Errorf("%s without a lease: %v", what, err)
		}
	}
}

func TestRoots(t *testing.T) {
	ctx := context.Background()
	s, blobs := open(t)
	blob := func(text string, labels map[string]string) digest.Digest {
		d := digest.FromString(text)
		err := ccontent.WriteBlob(ctx, blobs, text, bytes.NewBufferString(text), ocispec.Descriptor{Digest: d, Size: int64(len(text))}, ccontent.WithLabels(labels))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	leaf := blob("leaf", nil)
	node := blob("node", map[string]string{"containerd.io/gc.ref.content.0": leaf.String()})
	top := blob("top", map[string]string{"containerd.io/gc.ref.content": node.String(), "other": "x"})
	old := blob("old", nil)
	missing := digest.FromString("missing")
	for id, r := range map[string]leases.Resource{
		"top": {ID: top.String(), Type: "content"}, "missing": {ID: missing.String(), Type: "content"},
		"snapshot": {ID: "s", Type: "snapshots/overlayfs"}, "old": {ID: old.String(), Type: "content"},
	} {
		opts := []leases.Opt{withID(id)}
		if id == "old" {
			opts = append(opts, leases.WithExpiration(-time.Hour))
		}
		l, err := s.Create(ctx, opts...)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.AddResource(ctx, l, r); err != nil {
			t.Fatal(err)
		}
	}
	roots := gc.Roots{Blobs: map[digest.Digest]bool{}, Snapshots: map[string]bool{}}
	if err := s.Roots(ctx, blobs, roots); err != nil {
		t.Fatal(err)
	}
	for d, want := range map[digest.Digest]bool{top: true, node: true, leaf: true, missing: true, old: false} {
		if roots.Blobs[d] != want {
			t.Errorf("%s is kept: %v", d, roots.Blobs[d])
		}
	}
	if len(roots.Snapshots) != 1 || !roots.Snapshots["s"] {
		t.Errorf("snapshots %v", roots.Snapshots)
	}
}
