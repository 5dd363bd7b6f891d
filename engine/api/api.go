package api

import (
	"log/slog"
	"net/http"

	"berth/engine"
)

// parts are the slices of an engine that the handlers use.
type parts struct {
	containers containerHandlers
	execs      execHandlers
	images     imageHandlers
	volumes    volumeHandlers
	networks   networkHandlers
	events     eventHandlers
	system     systemHandlers
}

func newHandler(p parts, log *slog.Logger) http.Handler {
	rt := newRouter()
	p.containers.routes(rt)
	p.execs.routes(rt)
	p.images.routes(rt)
	p.volumes.routes(rt)
	p.networks.routes(rt)
	p.events.routes(rt)
	p.system.routes(rt)
	absentRoutes(rt)
	return &api{next: rt.serve, log: log, server: "berth/" + engine.ThisBuild().Version + " (linux)"}
}
