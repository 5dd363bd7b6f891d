//go:build !client

package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"

	"berth/cmd/berth/config"
	"berth/cmd/berth/connect"
	"berth/engine"
	"berth/engine/api"

	cerrdefs "github.com/containerd/errdefs"
)

// errBusy is returned when another process runs an engine on the same root.
var errBusy = errors.New("another engine has this root")

// engineHandle is all that this package does with an engine.
type engineHandle struct {
	engine  *engine.Engine
	handler http.Handler
}

// openEngine opens the engine of c, with the settings of f, and puts the API before it.
func openEngine(ctx context.Context, c connect.Config, f config.File, log *slog.Logger) (*engineHandle, error) {
	settings, err := f.Settings()
	if err != nil {
		return nil, err
	}
	networks, err := f.NetworkDefaults()
	if err != nil {
		return nil, err
	}
	e, err := engine.Open(ctx, engine.Config{
		Root: c.Root, State: c.State, Log: log, StorageDriver: c.StorageDriver, Registry: f.Registries(agent()), Settings: settings, Networks: networks,
	})
	if err != nil {
		if cerrdefs.IsUnavailable(err) {
			return nil, errors.Join(errBusy, err)
		}
		return nil, err
	}
	// Builds mount what they work on among the temporary files.
	if err := errors.Join(os.MkdirAll(e.BuildTemp(), 0o700), os.Setenv("TMPDIR", e.BuildTemp())); err != nil {
		return nil, errors.Join(err, e.Close(ctx))
	}
	return &engineHandle{engine: e, handler: api.New(e, log)}, nil
}

// settings are those of the files that count here.
func (a *app) settings() (config.File, error) {
	return config.Load(connect.SettingsFiles(lookupIn(a.environ))...)
}

// agent is how berth calls itself to registries.
func agent() string { return "berth/" + berthVersion() }

// reload makes the engine work by the settings of f.
func (h *engineHandle) reload(f config.File) error {
	settings, err := f.Settings()
	if err != nil {
		return err
	}
	return h.engine.Reload(settings, f.Registries(agent()))
}

// busy says whether a container runs, or is to be started again, or an image is built.
func (h *engineHandle) busy(ctx context.Context) (bool, error) {
	running, err := h.engine.Containers.List(ctx, engine.ListOptions{})
	return len(running) > 0 || h.engine.Builds.Active(), err
}

// close lets the root go and leaves the containers running.
func (h *engineHandle) close(ctx context.Context) error { return h.engine.Close(ctx) }
