package engine

import (
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
)

// TestTheWorkingDirectoryIsMadeAtCreation pins docker's moment: before a start a client can already copy into it.
func TestTheWorkingDirectoryIsMadeAtCreation(t *testing.T) {
	r := newRig(t)
	r.exit(r.run(CreateOptions{Name: "maker", Config: &container.Config{Image: "busybox", Cmd: []string{"sh", "-c", "mkdir -p /real; ln -s ../../../../real /to; echo x >/file; ln -s /nowhere /lost"}}, HostConfig: &container.HostConfig{NetworkMode: "none"}}))
	if _, err := r.Containers.Commit(r.ctx, "maker", CommitOptions{Repo: "links"}); err != nil {
		t.Fatal(err)
	}
	create := func(dir string) (string, error) {
		resp, err := r.Containers.Create(r.ctx, CreateOptions{
			Config: &container.Config{Image: "links", Cmd: []string{"pwd"}, WorkingDir: dir}, HostConfig: &container.HostConfig{NetworkMode: "none"},
		})
		return resp.ID, err
	}
	for dir, want := range map[string]string{
		"/": "", "/real": "", "/new/sub": "A /new,A /new/sub", "/real/x": "C /real,A /real/x", "/to/y": "C /real,A /real/y",
	} {
		id, err := create(dir)
		if err != nil {
			t.Errorf("%s: %v", dir, err)
			continue
		}
		var got []string
		list, err := r.changes(id)
		for _, ch := range list {
			got = append(got, ch.Kind.String()+" "+ch.Path)
		}
		if s := strings.Join(got, ","); s != want || err != nil {
			t.Errorf("%s: %s, want %s; %v", dir, s, want, err)
		}
		r.start(id)
		if code := r.exit(id); code != 0 {
			t.Errorf("%s: exit code %d", dir, code)
		}
	}
	before, err := r.Containers.List(r.ctx, ListOptions{All: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"/file", "/file/x", "/lost/x"} {
		if _, err := create(dir); !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), "Cannot mkdir: "+dir+" is not a directory") {
			t.Errorf("%s: %v", dir, err)
		}
	}
	after, err := r.Containers.List(r.ctx, ListOptions{All: true})
	if err != nil || len(after) != len(before) {
		t.Errorf("%d containers, %d before; %v", len(after), len(before), err)
	}
}
