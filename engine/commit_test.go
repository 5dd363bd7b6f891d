package engine

import (
	"archive/tar"
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"

	"berth/engine/events"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
)

// TestCommitOfARunningContainer does what docker commit does: the files as they are, the container's configuration with
// the changes asked for, a step in the history; and the container runs on.
func TestCommitOfARunningContainer(t *testing.T) {
	r := newRig(t)
	o := shell("mkdir /data; echo one >/data/f; rm /etc/group; echo ready; while :; do sleep 1000; done")
	o.Config.Env, o.Config.Labels, o.Config.User = []string{"KEPT=1"}, map[string]string{"own": "yes"}, "root"
	id := r.run(o)
	r.until("the files are written", func() string {
		if strings.Contains(r.logSoFar(id), "ready") {
			return ""
		}
		return "it is not ready"
	})
	sub := r.Events.Subscribe(events.Options{})
	defer sub.Close()
	made, err := r.Containers.Commit(r.ctx, id, CommitOptions{
		Repo: "made", Tag: "1", Author: "ada", Comment: "why", Pause: true,
		Changes: []string{`ENV ADDED="a b"`, `CMD ["cat","/data/f"]`, "EXPOSE 80", "WORKDIR /data"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.inspect(id); !got.State.Running || got.State.Paused {
		t.Errorf("the container is %+v", got.State)
	}
	if got := r.actions(sub, r.inspect(id).ID, "commit"); !slices.Equal(got, []string{"pause", "unpause", "commit"}) {
		t.Errorf("events: %v", got)
	}
	img, err := r.Images.Inspect(r.ctx, "made:1")
	if err != nil || img.ID != made || img.Author != "ada" || img.Comment != "why" {
		t.Fatalf("%+v, %v", img, err)
	}
	c := img.Config
	if !slices.Contains(c.Env, "KEPT=1") || !slices.Contains(c.Env, "ADDED=a b") || c.Labels["own"] != "yes" || c.Labels["flavour"] != "plain" ||
		c.User != "root" || c.WorkingDir != "/data" || !slices.Equal(c.Cmd, []string{"cat", "/data/f"}) {
		t.Errorf("config %+v", c)
	}
	if _, ok := c.ExposedPorts["80/tcp"]; !ok {
		t.Errorf("ports %v", c.ExposedPorts)
	}
	if steps, err := r.Images.History(r.ctx, made); err != nil || !strings.HasPrefix(steps[0].CreatedBy, "sh -c mkdir /data") || steps[0].Size != 4 {
		t.Errorf("history %+v, %v", steps, err)
	}
	if got := r.layerNames(made); got != "data/ data/f etc/ etc/.wh.group" {
		t.Errorf("the layer holds %q", got)
	}
	got, code := r.output(CreateOptions{Config: &container.Config{Image: "made:1"}, HostConfig: &container.HostConfig{NetworkMode: "none"}})
	if got != "one\n" || code != 0 {
		t.Errorf("a container of it says %q, %d", got, code)
	}
}

// logSoFar is what a container has written until now.
func (r *rig) logSoFar(id string) string {
	r.t.Helper()
	var w text
	if err := r.Containers.Logs(r.ctx, id, LogsOptions{Stdout: true, Stderr: true, Tail: -1}, &w); err != nil {
		r.t.Fatal(err)
	}
	return w.out.String() + w.err.String()
}

// layerNames are the names in the tar of an image's topmost layer.
func (r *rig) layerNames(ref string) string {
	r.t.Helper()
	img, err := r.store.Images.Resolve(r.ctx, ref)
	if err != nil {
		r.t.Fatal(err)
	}
	blob := img.Layers[len(img.Layers)-1].Descriptor
	ra, err := r.store.Content.ReaderAt(r.ctx, blob)
	if err != nil {
		r.t.Fatal(err)
	}
	defer ra.Close()
	var names []string
	for tr := tar.NewReader(io.NewSectionReader(ra, 0, ra.Size())); ; {
		h, err := tr.Next()
		if err == io.EOF {
			return strings.Join(names, " ")
		}
		if err != nil {
			r.t.Fatal(err)
		}
		names = append(names, h.Name)
	}
}

// TestCommitOfNothing makes a step without a layer, as docker does, although the runtime has put its mount points into
// the container.
func TestCommitOfNothing(t *testing.T) {
	r := newRig(t)
	if _, err := r.Images.Import(r.ctx, bareRootfs(t), ImportOptions{Repo: "bare"}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"busybox", "bare"} {
		o := shell("true")
		o.Config.Image, o.Config.Cmd = name, []string{"/bin/busybox", "true"}
		id := r.run(o)
		if code := r.exit(id); code != 0 {
			t.Fatalf("%s ended with %d", name, code)
		}
		made, err := r.Containers.Commit(r.ctx, id, CommitOptions{Pause: true})
		if err != nil {
			t.Fatal(err)
		}
		before, err := r.Images.Inspect(r.ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		after, err := r.Images.Inspect(r.ctx, made)
		if err != nil || len(after.RootFS.Layers) != len(before.RootFS.Layers) || after.Size != before.Size {
			t.Errorf("%s: %v after %v, %v", name, after.RootFS.Layers, before.RootFS.Layers, err)
		}
		if steps, err := r.Images.History(r.ctx, made); err != nil || len(steps) != 2 || steps[0].Size != 0 {
			t.Errorf("%s: history %+v, %v", name, steps, err)
		}
	}
}

// bareRootfs has a program and nothing to mount over.
func bareRootfs(t *testing.T) io.Reader {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for in := tar.NewReader(rootfs(t)); ; {
		h, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Name != "bin/" && h.Name != "bin/busybox" {
			continue
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(w, in); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

func TestCommitRefuses(t *testing.T) {
	r := newRig(t)
	id := r.create(shell("true"))
	for _, c := range []struct {
		ref  string
		o    CommitOptions
		is   func(error) bool
		says string
	}{
		{"nosuch", CommitOptions{}, errdefs.IsNotFound, "No such container: nosuch"},
		{id, CommitOptions{Repo: "UPPER"}, errdefs.IsInvalidArgument, "invalid reference format"},
		{id, CommitOptions{Changes: []string{"RUN true"}}, errdefs.IsInvalidArgument, "run is not a valid change command"},
	} {
		if _, err := r.Containers.Commit(r.ctx, c.ref, c.o); !c.is(err) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s %+v: %v", c.ref, c.o, err)
		}
	}
	if list, err := r.Images.List(r.ctx, ImageListOptions{}); err != nil || len(list) != 1 {
		t.Errorf("a refused commit left %v, %v", list, err)
	}
}
