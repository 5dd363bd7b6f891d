package store

import (
	"path/filepath"

	"github.com/opencontainers/go-digest"

	"berth/store/content"
	"berth/store/image"
	"berth/store/lease"
	"berth/store/meta"
	"berth/store/snapshot"
)

// View is a store as it was at one moment. Its parts are only good for looking: what is
// written to them is not in the store.
type View struct {
	Meta      *meta.DB // a copy
	Content   *content.Store
	Snapshots *snapshot.Overlay
	Leases    *lease.Store
}

// Look opens the store in directory root for looking, also while an engine has it,
// or when none can open it any more. Nothing on disk is changed.
func Look(root string) (_ *View, err error) {
	v := &View{}
	if v.Meta, err = meta.OpenCopy(filepath.Join(root, "meta.db")); err != nil {
		return nil, err
	}
	if v.Content, err = content.Look(filepath.Join(root, "content"), v.Meta); err == nil {
		if v.Snapshots, err = snapshot.Look(root, v.Meta); err == nil {
			v.Leases, err = lease.Open(v.Meta)
		}
	}
	if err != nil {
		v.Meta.Close()
		return nil, err
	}
	return v, nil
}

// Images lists the names of images with what they stand for.
func (v *View) Images() ([]image.Named, error) { return image.Names(v.Meta) }

// Blob is the file of a blob.
func (v *View) Blob(d digest.Digest) string { return v.Content.Path(d) }

// Close lets go of the copy.
func (v *View) Close() error { return v.Meta.Close() }
