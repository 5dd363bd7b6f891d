package engine

import (
	"context"
	"strconv"
	"strings"

	"berth/engine/logs"
	"berth/shim"

	"github.com/containerd/errdefs"
	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/container"
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
	if rec.HostConfig.LogConfig.Type == "none" {
		return kind(errdefs.ErrNotImplemented, "configured logging driver does not support reading")
	}
	return logs.Read(ctx, cs.logPath(c.id), logs.Options{
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

// logConfig turns HostConfig.LogConfig into the shim's. "local" is read and
// written as json-file, with docker's limits for it.
func logConfig(hc *container.HostConfig, path string) (shim.LogConfig, error) {
	bad := func(format string, args ...any) (shim.LogConfig, error) {
		return shim.LogConfig{}, kind(errdefs.ErrInvalidArgument, format, args...)
	}
	lc := shim.LogConfig{Driver: "json-file", Path: path, MaxFiles: 1}
	switch hc.LogConfig.Type {
	case "none":
		return shim.LogConfig{Driver: "none"}, nil
	case "local":
		lc.MaxSize, lc.MaxFiles = 20<<20, 5
	case "json-file", "":
	default:
		return bad("logger: no log driver named '%s' is registered", hc.LogConfig.Type)
	}
	for key, value := range hc.LogConfig.Config {
		switch key {
		case "max-size":
			n, err := units.FromHumanSize(value)
			if err != nil || n <= 0 && value != "-1" {
				return bad("invalid value for max-size: %s", value)
			}
			lc.MaxSize = max(n, 0)
		case "max-file":
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 {
				return bad("invalid value for max-file: %s", value)
			}
			lc.MaxFiles = n
		case "mode", "max-buffer-size", "compress", "labels", "labels-regex", "env", "env-regex", "tag":
			// Rotated logs stay uncompressed, and writing is always blocking: what is asked for is a matter of cost only.
		default:
			return bad("unknown log opt '%s' for %s log driver", key, strings.TrimSpace(hc.LogConfig.Type))
		}
	}
	return lc, nil
}
