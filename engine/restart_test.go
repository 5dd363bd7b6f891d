package engine

import (
	"fmt"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
)

// A pause before a restart, the count of restarts and what is known of a container's
// health go on when the engine is killed and another comes.
func TestEngineKilledBetweenRestarts(t *testing.T) {
	r := newRig(t)
	d := r.startDoomed()
	failing := shell("exit 3")
	failing.HostConfig.RestartPolicy = container.RestartPolicy{Name: "on-failure", MaximumRetryCount: 30}
	again := d.run(failing, true)
	sick := shell("sleep 1000")
	sick.Config.Healthcheck = &container.HealthConfig{Test: []string{"CMD", "false"}, Interval: 50 * time.Millisecond, Retries: 1000}
	ill := d.run(sick, true)

	var count, streak int
	var pause backoff
	for range 3 {
		d.kill()
		r.open()
		rec, err := r.records.Get(again)
		if err != nil {
			t.Fatal(err)
		}
		if rec.RestartCount < count || rec.Backoff < pause {
			t.Errorf("%d restarts after %d, pause %v after %v", rec.RestartCount, count, time.Duration(rec.Backoff), time.Duration(pause))
		}
		before := rec.RestartCount
		r.until("the pause has grown, and so has the streak", func() string {
			rec, health := r.Containers.byID[again].snapshot(), r.inspect(ill).State.Health
			if rec.RestartCount <= before || health.FailingStreak <= streak {
				return fmt.Sprintf("%d restarts, %d failures", rec.RestartCount, health.FailingStreak)
			}
			if time.Duration(rec.Backoff) != min(firstPause<<(rec.RestartCount-1), longPause) {
				t.Errorf("restart %d after a pause of %v", rec.RestartCount, time.Duration(rec.Backoff))
			}
			count, pause, streak = rec.RestartCount, rec.Backoff, health.FailingStreak
			return ""
		})
		d = r.startDoomed()
	}
	d.kill()
	r.open()
	if got := r.inspect(ill).State.Health; got.FailingStreak < streak {
		t.Errorf("%d failures in a row are known of %d", got.FailingStreak, streak)
	}
}

func TestFirstCheckOfTheNextEngine(t *testing.T) {
	now := time.Now()
	rec := record{Config: &container.Config{Healthcheck: &container.HealthConfig{Interval: time.Hour}}}
	for want, log := range map[time.Duration][]*container.HealthcheckResult{
		time.Hour:        nil,
		30 * time.Minute: {{End: now.Add(-time.Minute)}, {End: now.Add(-30 * time.Minute)}},
		0:                {{End: now.Add(-2 * time.Hour)}},
	} {
		rec.State.Health = &container.Health{Log: log}
		if got := firstCheck(rec); got > want || got < want-time.Minute {
			t.Errorf("%v after %v", got, log)
		}
	}
}

func TestPauseBeforeARestart(t *testing.T) {
	ended := time.Now().Add(-40 * time.Second)
	r := record{Backoff: backoff(30 * time.Second)}
	r.restart(ended, time.Second)
	if got := r.pause(); got > 20*time.Second || got < 10*time.Second || r.RestartCount != 1 || !r.State.Restarting {
		t.Errorf("%v of %+v", got, r)
	}
	r.RestartAt = time.Now().Add(time.Hour) // the clock was set
	if got := r.pause(); got != time.Minute {
		t.Errorf("%v", got)
	}
	r.RestartAt = ended
	if got := r.pause(); got != 0 {
		t.Errorf("%v", got)
	}
}
