package engine

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"berth/engine/filter"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

// generations makes the image k:1 of busybox, and k:2 of that.
func generations(t *testing.T, r *rig) (one, two string) {
	t.Helper()
	make := func(from, script, tag string) string {
		o := shell(script)
		o.Config.Image = from
		id := r.run(o)
		if code := r.exit(id); code != 0 {
			t.Fatalf("%s ended with %d: %s", script, code, r.log(id))
		}
		made, err := r.Containers.Commit(r.ctx, id, CommitOptions{Repo: "k", Tag: tag})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Containers.Remove(r.ctx, id, RemoveOptions{}); err != nil {
			t.Fatal(err)
		}
		return made
	}
	return make("busybox", "head -c 300000 /dev/zero | tr '\\0' x >/one || head -c 300000 /bin/busybox >/one", "1"), make("k:1", "head -c 500000 /bin/busybox >/two", "2")
}

// TestImagesThatOthersWereMadeOf pins what docker does with them: without a name they are shown by -a only, cannot be
// removed, and go with the last image that was made of them.
func TestImagesThatOthersWereMadeOf(t *testing.T) {
	r := newRig(t)
	one, two := generations(t, r)
	list := func(o ImageListOptions) string {
		t.Helper()
		found, err := r.Images.List(r.ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, s := range found {
			names = append(names, strings.Join(append([]string{map[string]string{one: "one", two: "two"}[s.ID]}, s.RepoTags...), " "))
		}
		slices.Sort(names)
		return strings.Join(names, ",")
	}
	removed, err := r.Images.Remove(r.ctx, "k:1", ImageRemoveOptions{})
	if err != nil || said(one, removed) != "-k:1" {
		t.Fatalf("%v, %v", removed, err)
	}
	for _, c := range []struct {
		o    ImageListOptions
		want string
	}{
		{ImageListOptions{}, " busybox:latest,two k:2"},
		{ImageListOptions{All: true}, " busybox:latest,one,two k:2"},
		{ImageListOptions{Filters: filter.Args{"dangling": {"true"}}}, ""},
	} {
		if got := list(c.o); got != c.want {
			t.Errorf("%+v: %q, want %q", c.o, got, c.want)
		}
	}
	for _, force := range []bool{false, true} {
		_, err := r.Images.Remove(r.ctx, one, ImageRemoveOptions{Force: force})
		if want := "conflict: unable to delete " + short(one) + " (cannot be forced) - image has dependent child images"; !errdefs.IsConflict(err) || err.Error() != want {
			t.Errorf("force %v: %v", force, err)
		}
	}
	if removed, err = r.Images.Remove(r.ctx, "k:2", ImageRemoveOptions{}); err != nil || said(two, removed) != "-k:2 IMG LAYER LAYER LAYER" {
		t.Errorf("%v: %s, %v", removed, said(two, removed), err) // both images, and the layer of each
	}
	if got := list(ImageListOptions{All: true}); got != " busybox:latest" {
		t.Errorf("left: %s", got)
	}
}

func TestANameWithoutTagSavesAllTags(t *testing.T) {
	r := newRig(t)
	generations(t, r)
	if err := r.Images.Tag(r.ctx, "k:2", "127.0.0.1:5000/k", "3"); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := r.Images.Save(r.ctx, &b, []string{"k"}); err != nil {
		t.Fatal(err)
	}
	i := bytes.Index(b.Bytes(), []byte(`[{"Config"`))
	var manifest []struct{ RepoTags []string }
	if err := json.NewDecoder(bytes.NewReader(b.Bytes()[max(i, 0):])).Decode(&manifest); err != nil || len(manifest) != 2 ||
		!slices.Equal(append(manifest[0].RepoTags, manifest[1].RepoTags...), []string{"k:1", "k:2"}) {
		t.Errorf("%+v, %v", manifest, err)
	}
	if err := r.Images.Save(r.ctx, &b, []string{"127"}); !errdefs.IsNotFound(err) {
		t.Errorf("the beginning of a registry's name: %v", err)
	}
}

// TestPruneGivesBackWhatWasPromised compares what df says can be had with what pruning says it gave, and with what the
// disk has more afterwards.
func TestPruneGivesBackWhatWasPromised(t *testing.T) {
	r := newRig(t)
	generations(t, r)
	idle := r.run(shell("head -c 700000 /bin/busybox >/mine; ln /mine /again"))
	if code := r.exit(idle); code != 0 {
		t.Fatal(r.log(idle))
	}
	before, err := r.DiskUsage(r.ctx)
	if err != nil {
		t.Fatal(err)
	}
	onDisk := diskBytes(t, r.cfg.Root)

	containers, err := r.Containers.Prune(r.ctx, nil)
	if err != nil || int64(containers.SpaceReclaimed) != before.Containers.Reclaimable || before.Containers.Reclaimable < 700_000 || before.Containers.Reclaimable > 800_000 {
		t.Errorf("containers: promised %d, given %d, %v", before.Containers.Reclaimable, containers.SpaceReclaimed, err)
	}
	now, err := r.DiskUsage(r.ctx)
	if err != nil {
		t.Fatal(err)
	}
	images, err := r.Images.Prune(r.ctx, filter.Args{"dangling": {"false"}})
	if err != nil || int64(images.SpaceReclaimed) != now.Images.Reclaimable || now.Images.Reclaimable < 2_000_000 {
		t.Errorf("images: promised %d, given %d, %v", now.Images.Reclaimable, images.SpaceReclaimed, err)
	}
	after, err := r.DiskUsage(r.ctx)
	if err != nil || after.Images.TotalSize != 0 || after.Containers.TotalSize != 0 {
		t.Errorf("left %+v, %v", after, err)
	}
	promised := before.Containers.Reclaimable + now.Images.Reclaimable
	if given := onDisk - diskBytes(t, r.cfg.Root); given < promised {
		t.Errorf("promised %d bytes, the disk has %d more", promised, given)
	}
}

// diskBytes is what du says of a directory, in bytes.
func diskBytes(t *testing.T, dir string) (total int64) {
	t.Helper()
	seen := map[uint64]bool{}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		var st unix.Stat_t
		if err == nil {
			err = unix.Lstat(path, &st)
		}
		if err == nil && !seen[st.Ino] {
			seen[st.Ino] = true
			total += st.Blocks * 512
		}
		if os.IsNotExist(err) {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return total
}
