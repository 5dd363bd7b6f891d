package engine

import (
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
)

func TestContainersHaveTheMark(t *testing.T) {
	r := newRig(t)
	id := r.run(shell("ls -l /.dockerenv; echo a >/other"))
	r.exit(id)
	if out := r.log(id); !strings.HasPrefix(out, "-rwxr-xr-x") {
		t.Errorf("the mark: %q", out)
	}
	changes, err := r.changes(id)
	if err != nil {
		t.Fatal(err)
	}
	// It is no change of the container's own, and so in no image made of it.
	if len(changes) != 1 || changes[0].Path != "/other" {
		t.Errorf("changes %v", changes)
	}
	// A container that takes it away is left alone.
	id = r.run(shell("rm /.dockerenv 2>/dev/null || echo gone"))
	r.exit(id)
	r.start(id)
	r.exit(id)
	if out := r.log(id); !strings.HasSuffix(out, "gone\n") {
		t.Errorf("after its removal: %q", out)
	}
}

func TestVolumesFromModes(t *testing.T) {
	r := newRig(t)
	donor := shell("true")
	donor.HostConfig.Binds = []string{t.TempDir() + ":/ro:ro", t.TempDir() + ":/rw"}
	id := r.create(donor)
	for mode, want := range map[string]string{"": "ro rw", ":": "ro rw", ":rw": "ro rw", ":ro": "ro ro", ":z,ro": "ro ro", ":rw,cached": "ro rw"} {
		o := shell(`for d in /ro /rw; do grep " $d " /proc/mounts | cut -d' ' -f4 | cut -c1-2; done`)
		o.HostConfig.VolumesFrom = []string{id + mode}
		if out, _ := r.output(o); strings.Join(strings.Fields(out), " ") != want {
			t.Errorf("%q: mounts are %q, want %q", mode, out, want)
		}
	}
	for from, want := range map[string]string{
		id + ":ro,rw": "invalid mode: ro,rw", id + ":z,Z": "invalid mode: z,Z", id + ":nocopy": "invalid mode: nocopy",
		id + ":ro,shared": "invalid mode: ro,shared", id + ":ro,": "invalid mode: ro,", "": "cannot be an empty string",
	} {
		o := shell("true")
		o.HostConfig = &container.HostConfig{VolumesFrom: []string{from}}
		if _, err := r.Containers.Create(r.ctx, o); !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", from, err, want)
		}
	}
}
