package container

import (
	"reflect"
	"testing"
	"time"

	"berth/runtime/plainjson"
)

// A state that encoding/json had to write would cost every create 0.2 ms.
func TestRecordIsPlain(t *testing.T) {
	want := record{ID: "x", Created: time.Now().UTC(), Cgroups: map[string]string{"cpu": "/sys/fs/cgroup/cpu/x"}, Annotations: map[string]string{"a": "b"}}
	for _, v := range []any{record{}, want} {
		if b, ok := plainjson.Append(nil, v); !ok {
			t.Errorf("not plain behind %s", b)
		}
	}
	dir, lock, err := makeStateDir(t.TempDir(), want.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := dir.write(&want); err != nil {
		t.Fatal(err)
	}
	if got, err := dir.read(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, %v", got, err)
	}
}
