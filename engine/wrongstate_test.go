package engine

import (
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
)

// What a state does not allow is refused in dockerd's words and with its kind of error.
func TestVerbsInAWrongState(t *testing.T) {
	r := newRig(t)
	o := shell("exit 1")
	o.HostConfig.RestartPolicy.Name = container.RestartPolicyAlways
	ids := map[string]string{"created": r.create(shell("true")), "exited": r.run(shell("true")), "restarting": r.run(o)}
	r.exit(ids["exited"])
	again := r.Containers.byID[ids["restarting"]]
	r.until("the pause before a restart is long", func() string {
		if rec := again.snapshot(); !rec.State.Restarting || rec.Backoff < backoff(8*firstPause) {
			return "it is short"
		}
		return ""
	})
	for state, id := range ids {
		refusal := "container " + id + " is not running"
		if state == "restarting" {
			refusal = "Container " + id + " is restarting, wait until the container is running"
		}
		for verb, err := range map[string]error{
			"pause": r.Containers.Pause(r.ctx, id),
			"exec": func() error {
				_, err := r.Containers.ExecCreate(r.ctx, id, ExecOptions{Cmd: []string{"x"}})
				return err
			}(),
			"top": func() error { _, err := r.Containers.Top(r.ctx, id, ""); return err }(),
		} {
			if !errdefs.IsConflict(err) || err.Error() != refusal {
				t.Errorf("%s of a %s container: %v", verb, state, err)
			}
		}
		if err := r.Containers.Unpause(r.ctx, id); err == nil || errdefs.IsConflict(err) || !strings.HasSuffix(err.Error(), " is not paused") {
			t.Errorf("unpause of a %s container: %v", state, err)
		}
	}
}
