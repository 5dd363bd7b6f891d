// Package store is everything berth keeps on disk: blobs, layers, images and
// the database of records. Open wires its parts together; each is used by
// itself:
//
//	st, err := store.Open(ctx, "/var/lib/berth", store.Options{Log: log})
//	defer st.Close()
//	img, err := st.Images.Resolve(ctx, "busybox")
//	parent, err := st.Images.Unpack(ctx, img.ID)
//	mounts, err := st.Snapshots.Prepare(ctx, containerID, parent)
//
// The root directory holds:
//
//	meta.db     the database (package meta); engine packages keep their own
//	            buckets in it
//	content/    blobs by digest, an OCI image layout (package content)
//	snapshots/  layers and writable layers (package snapshot)
//
// One process has a root open at a time. The packages below know each other
// in this order: durable, meta, content, diff, snapshot, gc, lease, image. None of
// them imports anything of the engine.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"

	"berth/store/content"
	"berth/store/gc"
	"berth/store/image"
	"berth/store/lease"
	"berth/store/meta"
	"berth/store/snapshot"
)

// Store is an open store.
type Store struct {
	Meta      *meta.DB
	Content   *content.Store    // implements containerd's content.Store
	Snapshots *snapshot.Overlay // implements containerd's snapshots.Snapshotter
	Images    *image.Store
	Collector *gc.Collector
	Leases    *lease.Store // implements containerd's leases.Manager
}

// Options tune Open.
type Options struct {
	Log *slog.Logger // slog.Default, if nil
	// Driver is that of the snapshots (package snapshot); "" is what works.
	Driver string
}

// Open opens or creates the store in directory root and removes what a crash
// left behind. The error is of kind Unavailable while another process has it.
func Open(ctx context.Context, root string, opts Options) (_ *Store, err error) {
	if opts.Log == nil {
		opts.Log = slog.Default()
	}
	if strings.ContainsAny(root, `:\`) {
		// They separate and escape the layers of an overlay mount.
		return nil, fmt.Errorf("open store %s: the path may not contain colons or backslashes: %w", root, errdefs.ErrInvalidArgument)
	}
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s := &Store{Collector: gc.New()}
	if s.Meta, err = meta.Open(filepath.Join(root, "meta.db")); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	defer func() {
		if err != nil {
			if s.Snapshots != nil {
				s.Snapshots.Close()
			}
			s.Meta.Close()
			err = fmt.Errorf("open store %s: %w", root, err)
		}
	}()
	hold := func(dgst digest.Digest) { s.Collector.HoldBlob(dgst) }
	if s.Content, err = content.Open(filepath.Join(root, "content"), s.Meta, content.Options{Hold: hold}); err != nil {
		return nil, err
	}
	if s.Snapshots, err = snapshot.Open(root, s.Meta, snapshot.Options{Hold: s.Collector.HoldSnapshot, Driver: opts.Driver, Log: opts.Log}); err != nil {
		return nil, err
	}
	if driver, reason := s.Snapshots.Driver(); driver != snapshot.OverlayDriver {
		opts.Log.Info("containers get a copy of their image each: overlay is not used", "root", root, "reason", reason)
	}
	if s.Leases, err = lease.Open(s.Meta); err != nil {
		return nil, err
	}
	s.Images, err = image.Open(ctx, image.Options{
		DB: s.Meta, Content: s.Content, Snapshots: s.Snapshots, Collector: s.Collector, Leases: s.Leases, Log: opts.Log,
	})
	return s, err
}

// Close closes the database and the directories. Nothing of the store may be in
// use any more.
func (s *Store) Close() error {
	s.Images.Close()
	return errors.Join(s.Snapshots.Close(), s.Meta.Close())
}
