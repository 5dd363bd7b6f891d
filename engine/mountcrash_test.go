package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/volume"
)

// churnMountsOrder makes a victim do what churnMounts does, as churnOrder does for churn.
const churnMountsOrder = "churn-mounts"

// churnMounts makes, starts and removes containers with mounts that the engine makes itself, for ever.
func churnMounts(e *Engine) {
	ctx := context.Background()
	o := mounted("exec sleep 1000",
		mount.Mount{Type: mount.TypeImage, Source: "busybox", Target: "/whole"},
		mount.Mount{Type: mount.TypeImage, Source: "other", Target: "/part", ImageOptions: &mount.ImageOptions{Subpath: "d"}},
		mount.Mount{Type: mount.TypeVolume, Source: "mem", Target: "/mem"},
		mount.Mount{Type: mount.TypeTmpfs, Target: "/tmpfs"})
	for {
		made, err := e.Containers.Create(ctx, o)
		if err == nil {
			err = e.Containers.Start(ctx, made.ID, StartOptions{})
		}
		if err == nil {
			err = e.Containers.Remove(ctx, made.ID, RemoveOptions{Force: true})
		}
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
	}
}

// Whenever the engine is killed: an image that is mounted is held by a container that there is,
// which can be started and removed, and then nothing of the mounts is left.
func TestMountsOfAKilledEngine(t *testing.T) {
	kills := 4
	if n, err := strconv.Atoi(os.Getenv(killsEnv)); err == nil {
		kills = n
	}
	r := newRig(t)
	if _, err := r.Images.Import(r.ctx, fileTar(t, "d/f", "x"), ImportOptions{Repo: "other"}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Volumes.Create(r.ctx, volume.CreateRequest{Name: "mem", DriverOpts: map[string]string{"type": "tmpfs", "device": "tmpfs"}}); err != nil {
		t.Fatal(err)
	}
	for range kills {
		d := r.startDoomed()
		if err := d.in.Encode(order{Create: CreateOptions{Name: churnMountsOrder}}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(rand.N(150 * time.Millisecond)) // the random instant
		d.kill()
		if d.out.Scan() {
			t.Fatalf("before it was killed: %s", d.out.Text())
		}
		r.open()
		for _, id := range r.mountedImages() {
			if _, err := r.Containers.get(id); err != nil {
				t.Errorf("an image is held for nobody: %v", err)
			}
		}
		for _, c := range r.Containers.all() {
			if !c.snapshot().State.Running {
				r.start(c.id)
			}
			if err := r.Containers.Remove(r.ctx, c.id, RemoveOptions{Force: true}); err != nil {
				t.Error(err)
			}
		}
		if left := r.mountedImages(); len(left) > 0 {
			t.Errorf("images are still held for %v", left)
		}
		r.noMountPoints()
	}
	if _, err := r.Images.Remove(r.ctx, "other", ImageRemoveOptions{}); err != nil {
		t.Error(err)
	}
}

// mountedImages are the containers for which images are held.
func (r *rig) mountedImages() (ids []string) {
	r.t.Helper()
	err := r.snapshots.Walk(r.ctx, func(_ context.Context, info snapshots.Info) error {
		if rest, ok := strings.CutPrefix(info.Name, imageMountPrefix); ok {
			id, _, _ := strings.Cut(rest, "/")
			ids = append(ids, id)
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return ids
}
