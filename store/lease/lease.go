// Package lease keeps leases in the database: lists of blobs and snapshots that
// are to be kept although no image needs them, such as the cache of builds. It
// implements containerd's leases.Manager.
//
// Unlike the leases of package gc, which protect what is being made and live in
// memory, these outlive the process. A lease may have a time to expire (label
// containerd.io/gc.expire); what it names is garbage afterwards, as it is when
// the lease is deleted: the next collection takes it.
//
// A resource is of type "content", its ID a digest, or "snapshots/<any name>",
// its ID the name of a snapshot. It need not exist yet.
package lease

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/containerd/v2/pkg/filters"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"

	"berth/store/gc"
	"berth/store/meta"
)

// expireLabel is when a lease ends (leases.WithExpiration), in RFC 3339.
const expireLabel = "containerd.io/gc.expire"

// referLabel begins the labels of a blob that name what it keeps.
const referLabel = "containerd.io/gc.ref.content"

// record is what is stored of a lease.
type record struct {
	Created   time.Time         `json:"created"`
	Labels    map[string]string `json:"labels,omitempty"`
	Resources []leases.Resource `json:"resources,omitempty"`
}

// Store is a leases.Manager. Make one with Open; it is safe for concurrent use.
type Store struct {
	records meta.Bucket[record]
}

var _ leases.Manager = (*Store)(nil)

// Open finds the leases in db.
func Open(db *meta.DB) (*Store, error) {
	b, err := meta.NewBucket[record](db, "leases")
	return &Store{b}, err
}

// Create makes a lease; the error is of kind AlreadyExists if there is one of that ID.
func (s *Store) Create(_ context.Context, opts ...leases.Opt) (leases.Lease, error) {
	l := leases.Lease{CreatedAt: time.Now().UTC()}
	for _, opt := range opts {
		if err := opt(&l); err != nil {
			return leases.Lease{}, err
		}
	}
	if l.ID == "" {
		return leases.Lease{}, fmt.Errorf("create lease: it has no ID: %w", errdefs.ErrInvalidArgument)
	}
	return l, s.records.Change(func(b meta.TxBucket[record]) error {
		switch _, err := b.Get(l.ID); {
		case err == nil:
			return fmt.Errorf("create lease %s: %w", l.ID, errdefs.ErrAlreadyExists)
		case !errdefs.IsNotFound(err):
			return err
		}
		return b.Put(l.ID, record{Created: l.CreatedAt, Labels: l.Labels})
	})
}

// Delete ends a lease; the error is of kind NotFound if there is none. What it
// named goes with the next collection.
func (s *Store) Delete(_ context.Context, l leases.Lease, _ ...leases.DeleteOpt) error {
	return s.records.Change(func(b meta.TxBucket[record]) error {
		if _, err := b.Get(l.ID); err != nil {
			return fmt.Errorf("delete lease %s: %w", l.ID, err)
		}
		return b.Delete(l.ID)
	})
}

// List returns the leases that pass one of the filters, in the order of their IDs.
func (s *Store) List(_ context.Context, fs ...string) ([]leases.Lease, error) {
	filter, err := filters.ParseAll(fs...)
	if err != nil {
		return nil, fmt.Errorf("list leases: %w: %w", err, errdefs.ErrInvalidArgument)
	}
	var all []leases.Lease
	err = s.records.ForEach(func(id string, r record) error {
		l := leases.Lease{ID: id, CreatedAt: r.Created, Labels: r.Labels}
		if filter.Match(adapt(l)) {
			all = append(all, l)
		}
		return nil
	})
	return all, err
}

// adapt shows the fields of a lease to filters.
func adapt(l leases.Lease) filters.Adaptor {
	return filters.AdapterFunc(func(path []string) (string, bool) {
		switch {
		case len(path) == 1 && path[0] == "id":
			return l.ID, true
		case len(path) > 1 && path[0] == "labels":
			v, ok := l.Labels[strings.Join(path[1:], ".")]
			return v, ok
		}
		return "", false
	})
}

// AddResource has a lease keep r from now on.
func (s *Store) AddResource(_ context.Context, l leases.Lease, r leases.Resource) error {
	if r.Type != "content" && !strings.HasPrefix(r.Type, "snapshots/") {
		return fmt.Errorf("add to lease %s: resources of type %q are not known: %w", l.ID, r.Type, errdefs.ErrNotImplemented)
	}
	return s.change(l.ID, func(rec *record) {
		if !slices.Contains(rec.Resources, r) {
			rec.Resources = append(rec.Resources, r)
		}
	})
}

// DeleteResource has a lease keep r no longer.
func (s *Store) DeleteResource(_ context.Context, l leases.Lease, r leases.Resource) error {
	return s.change(l.ID, func(rec *record) {
		rec.Resources = slices.DeleteFunc(rec.Resources, func(have leases.Resource) bool { return have == r })
	})
}

// change changes what a lease keeps.
func (s *Store) change(id string, fn func(*record)) error {
	return s.records.Change(func(b meta.TxBucket[record]) error {
		rec, err := b.Get(id)
		if err != nil {
			return fmt.Errorf("lease %s: %w", id, err)
		}
		fn(&rec)
		return b.Put(id, rec)
	})
}

// ListResources returns what a lease keeps.
func (s *Store) ListResources(_ context.Context, l leases.Lease) ([]leases.Resource, error) {
	rec, err := s.records.Get(l.ID)
	if err != nil {
		return nil, fmt.Errorf("lease %s: %w", l.ID, err)
	}
	return rec.Resources, nil
}

// Roots adds what the leases keep to roots, and what the blobs among that refer
// to with containerd's labels for it.
func (s *Store) Roots(ctx context.Context, blobs content.Manager, roots gc.Roots) error {
	var queue []digest.Digest
	keep := func(d digest.Digest) {
		if !roots.Blobs[d] {
			roots.Blobs[d] = true
			queue = append(queue, d)
		}
	}
	err := s.records.ForEach(func(id string, rec record) error {
		if rec.expired(time.Now()) {
			return nil
		}
		for _, r := range rec.Resources {
			if r.Type == "content" {
				keep(digest.Digest(r.ID))
			} else {
				roots.Snapshots[r.ID] = true
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read leases: %w", err)
	}
	for len(queue) > 0 {
		info, err := blobs.Info(ctx, queue[0])
		queue = queue[1:]
		if errdefs.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read what leases keep: %w", err)
		}
		for key, value := range info.Labels {
			if strings.HasPrefix(key, referLabel) {
				keep(digest.Digest(value))
			}
		}
	}
	return nil
}

// expired tells whether the time of a lease is over. One that cannot be read is not.
func (r *record) expired(now time.Time) bool {
	end, err := time.Parse(time.RFC3339, r.Labels[expireLabel])
	return err == nil && now.After(end)
}
