package build

import (
	"context"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
)

// leasedContent is a content store of which BuildKit's leases keep what is written
// while one is in the context, as in containerd.
type leasedContent struct {
	content.Store
	leases leases.Manager
}

// Writer implements content.Ingester.
func (c leasedContent) Writer(ctx context.Context, opts ...content.WriterOpt) (content.Writer, error) {
	var o content.WriterOpts
	for _, opt := range opts {
		if err := opt(&o); err != nil {
			return nil, err
		}
	}
	w, err := c.Store.Writer(ctx, opts...)
	if errdefs.IsAlreadyExists(err) && o.Desc.Digest != "" {
		if lerr := c.keep(ctx, o.Desc.Digest); lerr != nil {
			return nil, lerr
		}
	}
	if err != nil {
		return nil, err
	}
	return leasedWriter{w, c}, nil
}

// keep adds a blob to the lease of the context, if it has one.
func (c leasedContent) keep(ctx context.Context, dgst digest.Digest) error {
	id, ok := leases.FromContext(ctx)
	if !ok {
		return nil
	}
	return c.leases.AddResource(ctx, leases.Lease{ID: id}, leases.Resource{ID: dgst.String(), Type: "content"})
}

type leasedWriter struct {
	content.Writer
	c leasedContent
}

// Commit implements content.Writer.
func (w leasedWriter) Commit(ctx context.Context, size int64, expected digest.Digest, opts ...content.Opt) error {
	err := w.Writer.Commit(ctx, size, expected, opts...)
	if err == nil || errdefs.IsAlreadyExists(err) {
		if lerr := w.c.keep(ctx, w.Digest()); lerr != nil {
			return lerr
		}
	}
	return err
}

// snapshotLeases is the store's manager of leases for who calls snapshots by
// BuildKit's names.
type snapshotLeases struct{ leases.Manager }

// AddResource implements leases.Manager.
func (m snapshotLeases) AddResource(ctx context.Context, l leases.Lease, r leases.Resource) error {
	return m.Manager.AddResource(ctx, l, stored(r))
}

// DeleteResource implements leases.Manager.
func (m snapshotLeases) DeleteResource(ctx context.Context, l leases.Lease, r leases.Resource) error {
	return m.Manager.DeleteResource(ctx, l, stored(r))
}

// ListResources implements leases.Manager.
func (m snapshotLeases) ListResources(ctx context.Context, l leases.Lease) ([]leases.Resource, error) {
	all, err := m.Manager.ListResources(ctx, l)
	for i := range all {
		if all[i].Type != "content" {
			all[i].ID = shownName(all[i].ID)
		}
	}
	return all, err
}

// stored is a resource under the name that the store has for it.
func stored(r leases.Resource) leases.Resource {
	if r.Type != "content" {
		r.ID = storedName(r.ID)
	}
	return r
}
