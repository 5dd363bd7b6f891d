package server

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"berth/shim/wire"
)

func TestRecordIsJSON(t *testing.T) {
	for _, unsynced := range []bool{false, true} {
		testRecord(t, unsynced)
	}
}

func testRecord(t *testing.T, unsynced bool) {
	path := filepath.Join(t.TempDir(), "exit.json")
	r, err := reserveRecord(path, unsynced)
	if err != nil {
		t.Fatal(err)
	}
	want := wire.Exit{
		ID: "c", PID: 7, Status: 137, Signal: 9, OOMKilled: true, Error: "it said \"no\"\n",
		StartedAt: time.Unix(1, 5).UTC(), ExitedAt: time.Unix(2, 0).UTC(),
	}
	if err := r.write(&want); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got wire.Exit
	if err := json.Unmarshal(b, &got); err != nil || got != want {
		t.Errorf("%s is %+v, %v", b, got, err)
	}
	r.discard()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("discarding after writing: %v", err)
	}
}

func TestRecordHasRoomForAnyError(t *testing.T) {
	x := wire.Exit{ID: strings.Repeat("f", 64), Error: strings.Repeat("\x01", recordSize)}
	path := filepath.Join(t.TempDir(), "exit.json")
	r, err := reserveRecord(path, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.write(&x); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() > recordSize {
		t.Errorf("%v, %v", info, err)
	}
}

func TestDiscardLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "exit.json")
	r, err := reserveRecord(path, false)
	if err != nil {
		t.Fatal(err)
	}
	r.discard()
	if _, err := os.Stat(path + ".new"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestDescribe(t *testing.T) {
	if got := describe(nil, errors.New("a"), errors.New(""), errors.New("b")); got != "a; b" {
		t.Errorf("got %q", got)
	}
}
