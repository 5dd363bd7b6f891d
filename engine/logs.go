package engine

import (
	"context"

	"berth/engine/logs"
	"github.com/containerd/errdefs"
)

// Logs delivers a container's log to w. With Follow it goes on until the
// container's run ends and everything is delivered.
func (cs *Containers) Logs(ctx context.Context, ref string, opts LogsOptions, w LogWriter) error {
	c, err := cs.get(ref)
	if err != nil {
		return err
	}
	c.mu.Lock()
	rec, r := c.rec, c.run
	c.mu.Unlock()
	path := cs.logPath(rec)
	if path == "" {
		return kind(errdefs.ErrNotImplemented, "configured logging driver does not support reading")
	}
	return logs.Read(ctx, path, logs.Options{
		Follow: opts.Follow && r != nil, Stdout: opts.Stdout, Stderr: opts.Stderr,
		Since: opts.Since, Until: opts.Until, Tail: opts.Tail,
	}, ended(r), func(e logs.Entry) error {
		if !opts.Details {
			e.Attrs = nil
		}
		return w.WriteEntry(e)
	})
}

// ended is closed at the end of the run.
func ended(r *run) <-chan struct{} {
	if r == nil {
		return nil
	}
	return r.done
}
