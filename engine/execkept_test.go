package engine

import (
	"testing"
	"time"

	"github.com/containerd/errdefs"
)

// An exec holds its container's record: one that is removed must not stay for as long as
// one that is there, or an engine grows with what it has removed.
func TestExecsOfRemovedContainersAreForgotten(t *testing.T) {
	r := newRig(t)
	exec := func(id string) string {
		t.Helper()
		xid, err := r.Containers.ExecCreate(r.ctx, id, ExecOptions{Cmd: []string{"true"}})
		if err == nil {
			err = r.Containers.ExecStart(r.ctx, xid, ExecStartOptions{Detach: true})
		}
		if err != nil {
			t.Fatal(err)
		}
		x, err := r.Containers.getExec(xid)
		if err != nil {
			t.Fatal(err)
		}
		<-x.done
		return xid
	}
	// age has the execs end a minute ago.
	age := func(xids ...string) {
		for _, xid := range xids {
			x, err := r.Containers.getExec(xid)
			if err != nil {
				t.Fatal(err)
			}
			x.mu.Lock()
			x.ended = time.Now().Add(-time.Minute)
			x.mu.Unlock()
		}
	}
	stays, goes := r.run(shell("exec sleep 1000")), r.run(shell("exec sleep 1000"))
	of, gone := exec(stays), exec(goes)
	if err := r.Containers.Remove(r.ctx, goes, RemoveOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	// Whoever ran it can ask how it ended, though the container is gone.
	if in, err := r.Containers.ExecInspect(r.ctx, gone); err != nil || in.ExitCode == nil || *in.ExitCode != 0 {
		t.Errorf("right after the removal: %+v, %v", in, err)
	}
	age(of, gone)
	r.exit(r.run(shell("true"))) // the end of any container
	if _, err := r.Containers.ExecInspect(r.ctx, gone); !errdefs.IsNotFound(err) {
		t.Errorf("a minute later: %v", err)
	}
	if _, err := r.Containers.ExecInspect(r.ctx, of); err != nil {
		t.Errorf("of a container that is there: %v", err)
	}
}
