package engine

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/volume"
)

// Between its mounts being resolved and its record, nothing names the volumes of a new container.
func TestVolumesOfAContainerBeingMadeStay(t *testing.T) {
	r := newRig(t)
	if _, err := r.Volumes.Create(r.ctx, volume.CreateRequest{Name: "old"}); err != nil {
		t.Fatal(err)
	}
	hold := volumeHold{vs: r.Volumes}
	for _, name := range []string{"old", "new", ""} {
		if _, err := hold.ensure(name, volumeRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"old", "new"} {
		if err := r.Volumes.Remove(r.ctx, name, false); !errdefs.IsConflict(err) {
			t.Errorf("removing %s: %v", name, err)
		}
	}
	if report, err := r.Volumes.Prune(r.ctx, map[string][]string{"all": {"true"}}); err != nil || len(report.VolumesDeleted) != 0 {
		t.Errorf("prune: %v, %v", report, err)
	}
	// Another container wants the new one too: it is not undone.
	second := volumeHold{vs: r.Volumes}
	if v, err := second.ensure("new", volumeRequest{}); err != nil || len(second.made) != 0 {
		t.Errorf("%v, %v, made %v", v, err, second.made)
	}
	if err := hold.undo(); err != nil {
		t.Error(err)
	}
	second.release()
	if left := r.volumeNames(); !slices.Equal(left, []string{"new", "old"}) {
		t.Errorf("left are %v", left)
	}
	for _, name := range []string{"new", "old"} {
		if err := r.Volumes.Remove(r.ctx, name, false); err != nil {
			t.Error(err)
		}
	}
}

func (r *rig) volumeNames() []string {
	r.t.Helper()
	list, err := r.Volumes.List(r.ctx, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	var names []string
	for _, v := range list {
		names = append(names, v.Name)
	}
	return names
}

// A removal that was cut off ends at the next start, and a volume of the same
// name begins empty.
func TestVolumeRemovalThatWasInterrupted(t *testing.T) {
	r := newRig(t)
	for _, name := range []string{"cut", "kept"} {
		v, err := r.Volumes.Create(r.ctx, volume.CreateRequest{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(v.Mountpoint, "secret"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	dirs := filepath.Join(r.cfg.Root, "volumes")
	r.close()
	// As far as forget gets before its second write.
	if err := os.Rename(filepath.Join(dirs, "cut"), filepath.Join(dirs, removedPrefix+newID())); err != nil {
		t.Fatal(err)
	}
	r.open()
	if left := r.volumeNames(); !slices.Equal(left, []string{"kept"}) {
		t.Errorf("left are %v", left)
	}
	if entries, err := os.ReadDir(dirs); err != nil || len(entries) != 1 {
		t.Errorf("on disk: %v, %v", entries, err)
	}
	v, err := r.Volumes.Create(r.ctx, volume.CreateRequest{Name: "cut"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(v.Mountpoint, "secret")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what the removed one held: %v", err)
	}
	for _, name := range []string{"cut", "kept"} {
		if err := r.Volumes.Remove(r.ctx, name, false); err != nil {
			t.Error(err)
		}
	}
}

func TestLabelsOfAVolumeMadeForAMount(t *testing.T) {
	r := newRig(t)
	o := shell("true")
	o.HostConfig.Mounts = []mount.Mount{{Type: "volume", Source: "labelled", Target: "/d/", VolumeOptions: &mount.VolumeOptions{Labels: map[string]string{"tier": "front"}}}}
	if err := r.Containers.Remove(r.ctx, r.create(o), RemoveOptions{Volumes: true}); err != nil {
		t.Fatal(err)
	}
	// It has a name, so it stays.
	if v, err := r.Volumes.Inspect(r.ctx, "labelled"); err != nil || v.Labels["tier"] != "front" {
		t.Errorf("%+v, %v", v, err)
	}
	if err := r.Volumes.Remove(r.ctx, "labelled", false); err != nil {
		t.Error(err)
	}
}

// What a volume with mount options reaches is seldom this machine's alone.
func TestPruneSparesVolumesWithOptions(t *testing.T) {
	r := newRig(t)
	for name, options := range map[string]map[string]string{"plain": nil, "elsewhere": {"type": "tmpfs", "device": "tmpfs"}} {
		if _, err := r.Volumes.Create(r.ctx, volume.CreateRequest{Name: name, DriverOpts: options}); err != nil {
			t.Fatal(err)
		}
	}
	report, err := r.Volumes.Prune(r.ctx, map[string][]string{"all": {"true"}})
	if err != nil || !slices.Equal(report.VolumesDeleted, []string{"plain"}) {
		t.Errorf("prune: %v, %v", report, err)
	}
}
