package api_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"berth/engine/api/berthapi"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// TestWasteIsDives lets dive (github.com/wagoodman/dive, v0.12 or later) look at what is saved of an image in which files
// were changed, replaced and deleted, and directories made anew. (Not one that is deleted later: dive does not know that
// what was in it before is gone already, and counts it with the deletion.)
func TestWasteIsDives(t *testing.T) {
	dive, err := exec.LookPath("dive")
	if err != nil {
		t.Skip("dive is not installed: go install github.com/wagoodman/dive@v0.13.1")
	}
	r := newRig(t)
	ctx := t.Context()
	id := r.edited(t)
	for _, script := range []string{
		"busybox rm -r /new/sub; busybox mkdir -p /new/sub /empty /etc/again; echo again >/etc/again/x; busybox seq 1 1000 >/etc/seq",
		"busybox rm -r /new/hard /empty /etc/again; busybox seq 1 2000 >/etc/seq; busybox ln -sf /x /etc/a; chmod 4755 /etc/bin",
	} {
		if _, err := r.client.ContainerCommit(ctx, id, client.ContainerCommitOptions{Reference: "waste:1"}); err != nil {
			t.Fatal(err)
		}
		next, err := r.client.ContainerCreate(ctx, client.ContainerCreateOptions{Config: &container.Config{Image: "waste:1", Cmd: []string{"/bin/busybox", "sleep", "1000"}}, HostConfig: &container.HostConfig{NetworkMode: "none"}})
		if err != nil {
			t.Fatal(err)
		}
		r.start(next.ID)
		r.exec(next.ID, script)
		id = next.ID
	}
	if _, err := r.client.ContainerCommit(ctx, id, client.ContainerCommitOptions{Reference: "waste:1"}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	archive, answer := filepath.Join(dir, "waste.tar"), filepath.Join(dir, "dive.json")
	if err := r.save("waste:1", archive); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(ctx, dive, "docker-archive://"+archive, "--json", answer).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	data, err := os.ReadFile(answer)
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Image struct {
			SizeBytes, InefficientBytes int64
			EfficiencyScore             float64
			FileReference               []json.RawMessage
		}
	}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	c := berthapi.NewClient(r.client)
	defer c.Close()
	got, err := c.Waste(ctx, "waste:1")
	if err != nil {
		t.Fatal(err)
	}
	if w := want.Image; got.Size != w.SizeBytes || got.Wasted != w.InefficientBytes || got.Efficiency != w.EfficiencyScore || len(got.Files) != len(w.FileReference) || got.Wasted == 0 {
		t.Errorf("%d bytes, %d wasted, efficiency %v, %d files; dive: %d, %d, %v, %d",
			got.Size, got.Wasted, got.Efficiency, len(got.Files), w.SizeBytes, w.InefficientBytes, w.EfficiencyScore, len(w.FileReference))
	}
}

// save writes the archive of an image to a file.
func (r *rig) save(ref, file string) error {
	saved, err := r.client.ImageSave(r.t.Context(), []string{ref})
	if err != nil {
		return err
	}
	defer saved.Close()
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, saved)
	return errors.Join(err, f.Close())
}
