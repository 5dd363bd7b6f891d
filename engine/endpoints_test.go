package engine

import (
	"os"
	"path/filepath"
	"testing"
)

func TestStateRecords(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "endpoints")
	s, err := newStateRecords(dir)
	if err != nil {
		t.Fatal(err)
	}
	for key, v := range map[string]string{"a": "old", "b": "2"} {
		if err := s.Put(key, v); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Put("a", "1"); err != nil {
		t.Fatal(err)
	}
	// What kills and power cuts leave.
	for name, text := range map[string]string{"c": `"half`, "d.json": "", "e.json": `{"cut`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read := func() map[string]string {
		t.Helper()
		got := map[string]string{}
		if err := s.ForEach(func(key string, value []byte) error {
			got[key] = string(value)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := read(); len(got) != 2 || got["a"] != `"1"` || got["b"] != `"2"` {
		t.Errorf("records %v", got)
	}
	for range 2 { // the second time there is none
		if err := s.Delete("a"); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(); len(got) != 1 || got["b"] != `"2"` {
		t.Errorf("after a delete: %v", got)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files are left: %v", len(entries), err)
	}
}
