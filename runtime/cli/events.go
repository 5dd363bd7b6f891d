package cli

import (
	"encoding/json"
	"errors"
	"time"

	"berth/runtime/cgroup"
	"berth/runtime/container"
)

// event is a line of events.
type event struct {
	Type string        `json:"type"` // stats or oom
	ID   string        `json:"id"`
	Data *cgroup.Stats `json:"data,omitempty"`
}

// defaultInterval is the time between statistics.
const defaultInterval = 5 * time.Second

// events prints statistics until the container is gone, or once.
func (a *app) events(f values) (int, error) {
	c, err := a.load(f)
	if err != nil {
		return 1, err
	}
	interval := defaultInterval
	if v := f.get("interval"); v != "" {
		if interval, err = time.ParseDuration(v); err != nil {
			return 1, err
		}
	}
	if interval <= 0 {
		return 1, errors.New("duration interval must be greater than 0")
	}
	out := json.NewEncoder(a.stdout)
	first, err := c.Stats() // also if only the later ones are printed: it must run
	if err != nil {
		return 1, err
	}
	if f.has("stats") {
		return 0, out.Encode(event{"stats", c.ID(), &first})
	}
	return 0, a.follow(c, interval, out)
}

// follow prints statistics and the ends of memory until the container is gone.
func (a *app) follow(c *container.Container, interval time.Duration, out *json.Encoder) error {
	ooms, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- c.WatchOOM(func() { ooms <- struct{}{} }) }()
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		e := event{Type: "oom", ID: c.ID()}
		select {
		case err := <-ended:
			return err
		case <-ooms:
		case <-tick.C:
			s, err := c.Stats()
			if err != nil {
				a.log.error(err) // it may just be ending, of which we hear
				continue
			}
			e = event{"stats", c.ID(), &s}
		}
		if err := out.Encode(e); err != nil {
			return err
		}
	}
}
