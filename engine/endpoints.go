package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// stateRecords keeps records that say something about running containers, as the network
// package sees them: one file each, in a directory below State. Nothing is synced, for
// what a power cut takes means nothing after it; the kernel keeps what was written when
// only the engine dies. So they cost a hundredth of a record in the database.
type stateRecords struct{ dir string }

const stateRecordEnd = ".json"

func newStateRecords(dir string) (stateRecords, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return stateRecords{}, fmt.Errorf("make directory of records: %w", err)
	}
	return stateRecords{dir}, nil
}

func (s stateRecords) path(key string) string { return filepath.Join(s.dir, key+stateRecordEnd) }

// Put implements network.Records.
func (s stateRecords) Put(key string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode record %s: %w", key, err)
	}
	// Whole or not at all, whenever the engine is killed.
	tmp := filepath.Join(s.dir, key)
	if err := os.WriteFile(tmp, b, 0o600); err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	if err := os.Rename(tmp, s.path(key)); err != nil {
		return fmt.Errorf("write record: %w", err)
	}
	return nil
}

// Delete implements network.Records.
func (s stateRecords) Delete(key string) error {
	if err := os.Remove(s.path(key)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("delete record: %w", err)
	}
	return nil
}

// ForEach implements network.Records. What is no whole record goes: the engine was killed
// over it, or the machine lost its power.
func (s stateRecords) ForEach(fn func(key string, value []byte) error) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("read records: %w", err)
	}
	for _, e := range entries {
		name := filepath.Join(s.dir, e.Name())
		key, ok := strings.CutSuffix(e.Name(), stateRecordEnd)
		var b []byte
		if ok {
			if b, err = os.ReadFile(name); err != nil {
				return fmt.Errorf("read record: %w", err)
			}
		}
		if !json.Valid(b) {
			if err := os.Remove(name); err != nil {
				return fmt.Errorf("remove half a record: %w", err)
			}
			continue
		}
		if err := fn(key, b); err != nil {
			return err
		}
	}
	return nil
}
