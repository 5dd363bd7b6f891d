// Package meta is the store's database: one bbolt file with typed buckets of
// JSON values. It is the last thing written of whatever becomes visible, so
// what it names exists, and what it does not name is garbage.
//
// A bucket belongs to one package, which declares its record type:
//
//	containers, err := meta.NewBucket[Container](db, "containers")
//	err = containers.Put(id, c)
//	c, err := containers.Get(id) // errdefs.ErrNotFound if there is none
//
// Changes to several keys or buckets that must not be seen apart go through
// a transaction:
//
//	err := db.Update(func(tx *meta.Tx) error {
//		if err := containers.In(tx).Put(id, c); err != nil {
//			return err
//		}
//		return names.In(tx).Put(c.Name, id)
//	})
//
// A write is on disk when it returns. Only one process at a time has the
// database open. Inside View and Update only the transaction's own buckets
// may be used: a second transaction from the same goroutine would deadlock.
package meta

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// lockWait is how long Open waits for another process to let go.
const lockWait = time.Second

// DB is an open database. It is safe for concurrent use; writers take turns.
type DB struct {
	bolt *bbolt.DB
}

// Open opens or creates the database file at path. The error is of kind
// Unavailable while another process has it open.
func Open(path string) (*DB, error) {
	b, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:      lockWait,
		FreelistType: bbolt.FreelistMapType,
		// The freelist is rebuilt at open: one page less per commit.
		NoFreelistSync: true,
	})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("open database %s: another process uses it: %w", path, errdefs.ErrUnavailable)
	}
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	return &DB{bolt: b}, nil
}

// Close waits for running transactions and closes the file.
func (d *DB) Close() error { return d.bolt.Close() }

// Tx is a transaction; it is only valid inside the function it is given to.
type Tx struct {
	bolt *bbolt.Tx
}

// View runs fn on a consistent state of the database.
func (d *DB) View(fn func(*Tx) error) error {
	return d.bolt.View(func(tx *bbolt.Tx) error { return fn(&Tx{tx}) })
}

// Update runs fn and makes all of its changes durable, or none if it returns
// an error.
func (d *DB) Update(fn func(*Tx) error) error {
	return d.bolt.Update(func(tx *bbolt.Tx) error { return fn(&Tx{tx}) })
}

// Bucket is a named set of records of type T, keyed by non-empty strings.
type Bucket[T any] struct {
	db   *DB
	name string
}

// NewBucket returns the named bucket, creating it if need be. The name also
// appears in errors, so it is best a noun in the plural: "containers".
func NewBucket[T any](db *DB, name string) (Bucket[T], error) {
	exists := false
	err := db.bolt.View(func(tx *bbolt.Tx) error {
		exists = tx.Bucket([]byte(name)) != nil
		return nil
	})
	if err == nil && !exists {
		err = db.bolt.Update(func(tx *bbolt.Tx) error {
			_, err := tx.CreateBucketIfNotExists([]byte(name))
			return err
		})
	}
	if err != nil {
		return Bucket[T]{}, fmt.Errorf("create bucket %s: %w", name, err)
	}
	return Bucket[T]{db: db, name: name}, nil
}

// In returns the bucket as seen by a transaction.
func (b Bucket[T]) In(tx *Tx) TxBucket[T] {
	return TxBucket[T]{bolt: tx.bolt.Bucket([]byte(b.name)), name: b.name}
}

// Get returns the record under key, or an error of kind NotFound.
func (b Bucket[T]) Get(key string) (v T, err error) {
	err = b.db.View(func(tx *Tx) error {
		v, err = b.In(tx).Get(key)
		return err
	})
	return v, err
}

// Change runs fn in a transaction of its own on this bucket: for reading a
// record, changing it and putting it back.
func (b Bucket[T]) Change(fn func(TxBucket[T]) error) error {
	return b.db.Update(func(tx *Tx) error { return fn(b.In(tx)) })
}

// Put stores a record, replacing the one under the same key.
func (b Bucket[T]) Put(key string, v T) error {
	return b.db.Update(func(tx *Tx) error { return b.In(tx).Put(key, v) })
}

// Delete removes a record; removing one that is not there is not an error.
func (b Bucket[T]) Delete(key string) error {
	return b.db.Update(func(tx *Tx) error { return b.In(tx).Delete(key) })
}

// ForEach calls fn for every record in the order of the keys. The records are
// read first, in one transaction, so fn may change the bucket.
func (b Bucket[T]) ForEach(fn func(key string, v T) error) error {
	var keys []string
	var values []T
	err := b.db.View(func(tx *Tx) error {
		return b.In(tx).ForEach(func(key string, v T) error {
			keys, values = append(keys, key), append(values, v)
			return nil
		})
	})
	if err != nil {
		return err
	}
	for i, key := range keys {
		if err := fn(key, values[i]); err != nil {
			return err
		}
	}
	return nil
}

// TxBucket is a Bucket inside a transaction.
type TxBucket[T any] struct {
	bolt *bbolt.Bucket
	name string
}

// Get returns the record under key, or an error of kind NotFound.
func (b TxBucket[T]) Get(key string) (v T, err error) {
	data := b.bolt.Get([]byte(key))
	if data == nil {
		return v, fmt.Errorf("%s: %q: %w", b.name, key, errdefs.ErrNotFound)
	}
	return b.decode(key, data)
}

// Put stores a record.
func (b TxBucket[T]) Put(key string, v T) error {
	if key == "" {
		return fmt.Errorf("%s: empty key: %w", b.name, errdefs.ErrInvalidArgument)
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("%s: encode %q: %w", b.name, key, err)
	}
	if err := b.bolt.Put([]byte(key), data); err != nil {
		return fmt.Errorf("%s: put %q: %w", b.name, key, err)
	}
	return nil
}

// Delete removes a record if it is there.
func (b TxBucket[T]) Delete(key string) error {
	if err := b.bolt.Delete([]byte(key)); err != nil {
		return fmt.Errorf("%s: delete %q: %w", b.name, key, err)
	}
	return nil
}

// ForEach calls fn for every record in the order of the keys; fn must not
// change the bucket.
func (b TxBucket[T]) ForEach(fn func(key string, v T) error) error {
	return b.bolt.ForEach(func(k, data []byte) error {
		v, err := b.decode(string(k), data)
		if err != nil {
			return err
		}
		return fn(string(k), v)
	})
}

func (b TxBucket[T]) decode(key string, data []byte) (v T, err error) {
	if err := json.Unmarshal(data, &v); err != nil {
		return v, fmt.Errorf("%s: decode %q: %w: %w", b.name, key, err, errdefs.ErrDataLoss)
	}
	return v, nil
}
