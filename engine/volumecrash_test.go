package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/volume"
)

// churnOrder is the name of the container whose creation makes a victim do what churn
// does, until it is killed.
const churnOrder = "churn-volumes"

// killsEnv is how often the tests kill an engine at random; a few times if it is not set.
const killsEnv = "BERTH_TEST_KILLS"

// churn makes, fills, clones, imports and removes volumes for ever.
func churn(e *Engine) {
	ctx := context.Background()
	for i := 0; ; i++ {
		name := func(kind string) string { return fmt.Sprintf("%s-%d", kind, i%3) }
		var archive bytes.Buffer
		fill := shell("true")
		fill.HostConfig.Binds = []string{name("fill") + ":/etc"}
		made, err := e.Containers.Create(ctx, fill)
		if err == nil {
			err = e.Containers.Remove(ctx, made.ID, RemoveOptions{})
		}
		if err == nil {
			_, err = e.Volumes.Clone(ctx, "keep", name("clone"))
		}
		if err == nil {
			err = e.Volumes.Export(ctx, "keep", func() io.Writer { return &archive })
		}
		if err == nil {
			whole := archive.Bytes()
			if _, err = e.Volumes.Import(ctx, name("import"), &archive, false); err == nil {
				_, err = e.Volumes.Import(ctx, name("import"), bytes.NewReader(whole), true)
			}
		}
		for _, kind := range []string{"fill", "clone", "import"} {
			if err == nil {
				err = e.Volumes.Remove(ctx, name(kind), true)
			}
		}
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
	}
}

// Whenever the engine is killed: what is kept is whole, what was being made is whole,
// empty or not there, and nothing of what was being done is left.
func TestVolumesOfAKilledEngine(t *testing.T) {
	kills := 4
	if n, err := strconv.Atoi(os.Getenv(killsEnv)); err == nil {
		kills = n
	}
	r := newRig(t)
	keep, err := r.Volumes.Create(r.ctx, volume.CreateRequest{Name: "keep"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		if err := os.WriteFile(filepath.Join(keep.Mountpoint, strconv.Itoa(i)), bytes.Repeat([]byte("x"), 5000), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for range kills {
		d := r.startDoomed()
		order := order{Create: CreateOptions{Name: churnOrder}}
		if err := d.in.Encode(order); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rand.IntN(150_000)) * time.Microsecond) // the random instant
		d.kill()
		if d.out.Scan() {
			t.Fatalf("before it was killed: %s", d.out.Text())
		}
		r.open()
		r.wholeVolumes()
	}
}

// wholeVolumes checks all volumes and what is beside them on disk.
func (r *rig) wholeVolumes() {
	r.t.Helper()
	want := map[string]int{"keep": 50, "clone": 50, "import": 50, "fill": 3}
	var names []string
	for _, v := range r.Volumes.snapshot() {
		names = append(names, v.Name)
		entries, err := os.ReadDir(v.Mountpoint)
		kind, _, _ := strings.Cut(v.Name, "-")
		if err != nil || len(entries) != want[kind] && (kind != "fill" || len(entries) != 0) {
			r.t.Errorf("volume %s holds %d entries, not %d: %v", v.Name, len(entries), want[kind], err)
		}
		for _, e := range entries {
			if info, err := e.Info(); kind != "fill" && (err != nil || info.Size() != 5000) {
				r.t.Errorf("%s of volume %s: %v", e.Name(), v.Name, errors.Join(err, fmt.Errorf("%d bytes", info.Size())))
			}
		}
	}
	left, err := os.ReadDir(filepath.Join(r.cfg.Root, "volumes"))
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range left {
		if !slices.Contains(names, e.Name()) {
			r.t.Errorf("left beside the volumes %v: %s", names, e.Name())
		}
	}
	for _, name := range names {
		if name != "keep" {
			for _, id := range r.Volumes.users()[name] { // of a creation that ended just before
				if err := r.Containers.Remove(r.ctx, id, RemoveOptions{}); err != nil {
					r.t.Error(err)
				}
			}
			if err := r.Volumes.Remove(r.ctx, name, false); err != nil {
				r.t.Error(err)
			}
		}
	}
}
