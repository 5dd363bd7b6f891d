package engine

import (
	"strings"
	"testing"
	"time"

	"berth/engine/filter"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
)

// checked is a shell with a health check that takes next to no time.
func checked(script string, test ...string) CreateOptions {
	o := shell(script)
	o.Config.Healthcheck = &container.HealthConfig{Test: test, Interval: 20 * time.Millisecond, Retries: 2}
	return o
}

// healthIs waits until a container has a status.
func (r *rig) healthIs(id string, want container.HealthStatus) *container.Health {
	r.t.Helper()
	var h *container.Health
	r.until("health "+string(want), func() string {
		h = r.inspect(id).State.Health
		if h == nil {
			return "no health"
		}
		if h.Status != want {
			return string(h.Status)
		}
		return ""
	})
	return h
}

func TestHealthGoesUpAndDown(t *testing.T) {
	r := newRig(t)
	id := r.run(checked("sleep 1000", "CMD-SHELL", "echo looking; test -e /well"))
	h := r.healthIs(id, container.Unhealthy)
	if len(h.Log) == 0 || h.Log[0].ExitCode != 1 || h.Log[0].Output != "looking\n" || h.FailingStreak < 2 {
		t.Errorf("health is %+v with %+v", h, h.Log)
	}
	touch := func(cmd ...string) {
		t.Helper()
		x, err := r.Containers.ExecCreate(r.ctx, id, ExecOptions{Cmd: cmd})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Containers.ExecStart(r.ctx, x, ExecStartOptions{Detach: true}); err != nil {
			t.Fatal(err)
		}
	}
	touch("touch", "/well")
	if h := r.healthIs(id, container.Healthy); h.FailingStreak != 0 || len(h.Log) > healthLog {
		t.Errorf("health is %+v", h)
	}
	list, err := r.Containers.List(r.ctx, ListOptions{Filters: filter.Args{"health": {"healthy"}}})
	if err != nil || len(list) != 1 || !strings.HasSuffix(list[0].Status, "(healthy)") || list[0].Health.Status != container.Healthy {
		t.Errorf("the list shows %+v, %v", list, err)
	}
	// The next engine goes on from there.
	r.close()
	r.open()
	if got := r.inspect(id).State.Health; got == nil || got.Status != container.Healthy {
		t.Errorf("with the next engine health is %+v", got)
	}
	touch("rm", "/well")
	r.healthIs(id, container.Unhealthy)
	if err := r.Containers.Kill(r.ctx, id, "KILL"); err != nil {
		t.Fatal(err)
	}
	r.exit(id)
	r.start(id)
	if got := r.inspect(id).State.Health; got == nil || got.Status == container.Healthy {
		t.Errorf("after a restart health is %+v", got)
	}
}

func TestHealthCheckThatHangs(t *testing.T) {
	r := newRig(t)
	o := checked("sleep 1000", "CMD", "sh", "-c", "echo waiting; sleep 1000")
	o.Config.Healthcheck.Timeout = 50 * time.Millisecond
	id := r.run(o)
	h := r.healthIs(id, container.Unhealthy)
	if last := h.Log[len(h.Log)-1]; last.ExitCode != -1 || last.Output != "Health check exceeded timeout (50ms): waiting\n" {
		t.Errorf("the result is %+v", last)
	}
	r.until("no check is left running", func() string {
		top, err := r.Containers.Top(r.ctx, id, "")
		if err != nil {
			t.Fatal(err)
		}
		if len(top.Processes) > 3 { // the container's own and the newest check's
			return strings.Join(top.Titles, " ")
		}
		return ""
	})
}

func TestHealthOfAnImage(t *testing.T) {
	own := checked("sleep 1000", "NONE")
	own.Config.Healthcheck.Interval = 0
	r := newRig(t)
	if h := r.inspect(r.run(own)).State.Health; h != nil {
		t.Errorf("a check that was turned off: %+v", h)
	}
	bad := checked("true", "CMD", "true")
	bad.Config.Healthcheck.Interval = time.Microsecond
	if _, err := r.Containers.Create(r.ctx, bad); !errdefs.IsInvalidArgument(err) {
		t.Errorf("an interval of a microsecond: %v", err)
	}
	bad.Config.Healthcheck = &container.HealthConfig{Test: []string{"CMD", "true"}, Retries: -1}
	if _, err := r.Containers.Create(r.ctx, bad); !errdefs.IsInvalidArgument(err) {
		t.Errorf("retries below zero: %v", err)
	}
}

func TestNextHealth(t *testing.T) {
	start := time.Now()
	rec := record{Config: &container.Config{Healthcheck: &container.HealthConfig{StartPeriod: time.Minute, Retries: 2}},
		State: state{StartedAt: start, Health: &container.Health{Status: container.Starting}}}
	for i, step := range []struct {
		after  time.Duration
		code   int
		want   container.HealthStatus
		streak int
	}{
		{time.Second, 1, container.Starting, 0}, // still in the start period
		{2 * time.Second, 1, container.Starting, 0},
		{61 * time.Second, 1, container.Starting, 1},
		{62 * time.Second, 0, container.Healthy, 0},
		{63 * time.Second, 1, container.Healthy, 1},
		{64 * time.Second, 1, container.Unhealthy, 2},
		{65 * time.Second, 0, container.Healthy, 0},
	} {
		before := rec.State.Health
		rec.State.Health = nextHealth(rec, &container.HealthcheckResult{Start: start.Add(step.after), ExitCode: step.code})
		if h := rec.State.Health; h.Status != step.want || h.FailingStreak != step.streak || h == before {
			t.Errorf("step %d: %+v", i, h)
		}
	}
	if n := len(rec.State.Health.Log); n != healthLog {
		t.Errorf("%d results are kept", n)
	}
	rec.State.Health = &container.Health{Status: container.Starting}
	rec.Config.Healthcheck.StartInterval = 3 * time.Second
	if got := healthPause(rec); got != 3*time.Second {
		t.Errorf("while it starts, a check every %v", got)
	}
	rec.State.StartedAt = start.Add(-time.Hour)
	if got := healthPause(rec); got != healthInterval {
		t.Errorf("later, a check every %v", got)
	}
}
