package meta

import (
	"errors"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/containerd/errdefs"
)

type rec struct{ Name string }

func open(t *testing.T, path string) *DB {
	t.Helper()
	db, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func bucket[T any](t *testing.T, db *DB, name string) Bucket[T] {
	t.Helper()
	b, err := NewBucket[T](db, name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRecordsSurviveReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "meta.db")
	db := open(t, path)
	b := bucket[rec](t, db, "things")
	if err := b.Put("a", rec{"one"}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	b = bucket[rec](t, open(t, path), "things")
	got, err := b.Get("a")
	if err != nil || got.Name != "one" {
		t.Fatalf("got %v, %v", got, err)
	}
	if _, err := b.Get("b"); !errdefs.IsNotFound(err) {
		t.Errorf("missing key: %v, want kind NotFound", err)
	}
	if err := b.Delete("b"); err != nil {
		t.Errorf("deleting what is not there: %v", err)
	}
	if err := b.Put("", rec{}); !errdefs.IsInvalidArgument(err) {
		t.Errorf("empty key: %v, want kind InvalidArgument", err)
	}
}

func TestUpdateIsAllOrNothing(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "meta.db"))
	a, n := bucket[rec](t, db, "a"), bucket[string](t, db, "n")
	stop := errors.New("stop")
	err := db.Update(func(tx *Tx) error {
		if err := a.In(tx).Put("k", rec{"v"}); err != nil {
			return err
		}
		if err := n.In(tx).Put("v", "k"); err != nil {
			return err
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	if _, err := a.Get("k"); !errdefs.IsNotFound(err) {
		t.Errorf("record of a rolled back transaction: %v", err)
	}
}

func TestForEachAllowsChanges(t *testing.T) {
	b := bucket[rec](t, open(t, filepath.Join(t.TempDir(), "meta.db")), "things")
	for _, k := range []string{"c", "a", "b"} {
		if err := b.Put(k, rec{k}); err != nil {
			t.Fatal(err)
		}
	}
	var seen []string
	err := b.ForEach(func(key string, v rec) error {
		seen = append(seen, key+v.Name)
		return b.Delete(key)
	})
	if err != nil || !reflect.DeepEqual(seen, []string{"aa", "bb", "cc"}) {
		t.Fatalf("saw %v, %v", seen, err)
	}
}

func TestSecondOpenIsUnavailable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "meta.db")
	open(t, path)
	if _, err := Open(path); !errdefs.IsUnavailable(err) {
		t.Fatalf("second open: %v, want kind Unavailable", err)
	}
}

func TestDamagedRecordIsDataLoss(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "meta.db"))
	if err := bucket[string](t, db, "things").Put("a", "not a record"); err != nil {
		t.Fatal(err)
	}
	if _, err := bucket[rec](t, db, "things").Get("a"); !errdefs.IsDataLoss(err) {
		t.Fatalf("got %v, want kind DataLoss", err)
	}
}
