package api

import (
	"log/slog"
	"net/http"

	"berth/engine"
	"berth/engine/release"
)

// parts are the slices of an engine that the handlers use.
type parts struct {
	containers containerHandlers
	archive    archiveHandlers
	execs      execHandlers
	images     imageHandlers
	registries registryHandlers
	volumes    volumeHandlers
	networks   networkHandlers
	volumeTree volumeFileHandlers
	commit     commitHandlers
	builds     buildHandlers
	events     eventHandlers
	system     systemHandlers
	berth      berthHandlers
}

// New returns the handler of the whole API over e. Errors of handlers are logged at debug level, their bugs at error.
func New(e *engine.Engine, log *slog.Logger) http.Handler {
	return newHandler(parts{
		containers: containerHandlers{e.Containers, e.Containers, e.Containers},
		archive:    archiveHandlers{e.Containers},
		execs:      execHandlers{e.Containers},
		images:     imageHandlers{read: e.Images, write: e.Images},
		registries: registryHandlers{e.Images},
		volumes:    volumeHandlers{e.Volumes},
		volumeTree: volumeFileHandlers{e.Volumes},
		networks:   networkHandlers{e.Networks, e.Containers},
		commit:     commitHandlers{e.Containers},
		builds:     buildHandlers{e.Builds},
		events:     eventHandlers{e.Events},
		system:     systemHandlers{e},
		berth:      berthHandlers{e.Images, e.Containers, e.Trees, e.Images, e.Containers},
	}, log)
}

func newHandler(p parts, log *slog.Logger) http.Handler {
	rt := newRouter()
	p.containers.routes(rt)
	p.archive.routes(rt)
	p.volumeTree.routes(rt)
	p.execs.routes(rt)
	p.images.pull = p.registries.pull
	p.images.routes(rt)
	p.registries.routes(rt)
	p.volumes.routes(rt)
	p.networks.routes(rt)
	p.commit.routes(rt)
	p.builds.routes(rt)
	p.events.routes(rt)
	p.system.routes(rt)
	p.berth.routes(rt)
	absentRoutes(rt)
	return &api{next: rt.serve, log: log, server: "berth/" + release.Version() + " (linux)"}
}
