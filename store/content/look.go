package content

import (
	"github.com/opencontainers/go-digest"

	"berth/store/meta"
)

// Look returns the store in directory root for reading only: nothing on disk is made
// or removed. db may be a copy.
func Look(root string, db *meta.DB) (*Store, error) {
	s := &Store{root: root, hold: func(digest.Digest) {}, writers: make(map[string]*writer)}
	var err error
	s.blobs, err = meta.NewBucket[blob](db, "blobs")
	return s, err
}
