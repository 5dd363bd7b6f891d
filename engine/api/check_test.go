package api_test

import (
	"os"
	"path/filepath"
	"testing"

	"berth/engine/api/berthapi"
)

// TestStoreIsCheckedAndMended damages a file of an image behind the engine's back.
func TestStoreIsCheckedAndMended(t *testing.T) {
	r := newRig(t)
	c := berthapi.NewClient(r.client)
	defer c.Close()
	good, err := c.Check(t.Context(), false)
	if err != nil || len(good.Faults) != 0 || good.Images == 0 || good.Blobs == 0 || good.Layers == 0 {
		t.Fatalf("a good store: %+v, %v", good, err)
	}
	files, err := filepath.Glob(filepath.Join(r.dir, "root/snapshots/*/fs/bin/busybox"))
	if err != nil || len(files) == 0 {
		t.Fatalf("files of the layer: %v, %v", files, err)
	}
	if err := os.Truncate(files[0], 10); err != nil {
		t.Fatal(err)
	}
	for _, repair := range []bool{false, true} {
		bad, err := c.Check(t.Context(), repair)
		if err != nil || len(bad.Faults) != 1 || bad.Faults[0].What != "layer" || len(bad.Faults[0].Images) == 0 || (bad.Faults[0].Mended != "") != repair {
			t.Fatalf("repair %v: %+v, %v", repair, bad, err)
		}
	}
	if after, err := c.Check(t.Context(), false); err != nil || len(after.Faults) != 0 {
		t.Errorf("after the repair: %+v, %v", after, err)
	}
}
