package engine

import (
	"slices"
	"testing"

	"berth/engine/events"

	"github.com/containerd/errdefs"
)

// TestVerbsTellWhatTheyDo has verbs of which dockerd tells, or which it leaves alone, in states that are not the usual.
func TestVerbsTellWhatTheyDo(t *testing.T) {
	r := newRig(t)
	sub := r.Events.Subscribe(events.Options{})
	defer sub.Close()
	id := r.run(shell("while true; do sleep 0.1; done"))
	r.actions(sub, id, "start")
	if err := r.Containers.Pause(r.ctx, id); err != nil {
		t.Fatal(err)
	}
	if err := r.Containers.Kill(r.ctx, id, "WINCH"); err != nil {
		t.Fatal(err)
	}
	if got := r.actions(sub, id, "kill"); !slices.Equal(got, []string{"pause", "unpause", "kill"}) {
		t.Errorf("a signal to a paused container: %q", got)
	}
	if err := r.Containers.Attach(r.ctx, id, AttachOptions{Stdout: true}); err != nil {
		t.Fatal(err)
	}
	if err := r.Containers.Resize(r.ctx, id, 10, 10); err != nil {
		t.Fatal(err)
	}
	if got := r.actions(sub, id, "resize"); !slices.Equal(got, []string{"attach", "resize"}) {
		t.Errorf("an attachment without a stream, a size without a terminal: %q", got)
	}
	o := shell("exit 1")
	o.HostConfig.RestartPolicy.Name = "always"
	id = r.run(o)
	for range 3 {
		r.actions(sub, id, "die")
		if err := r.Containers.Start(r.ctx, id, StartOptions{}); !errdefs.IsNotModified(err) {
			t.Errorf("a start of what is started again anyhow: %v", err)
		}
	}
}
