package api

import (
	"net/http"
	"strconv"

	"github.com/moby/moby/api/types/plugin"
)

// absentRoutes registers the routes of the Engine API that this engine does not have, each with an answer that says so:
// those of a swarm as a dockerd outside a swarm does, no plugins, and 501 for what is not built yet.
func absentRoutes(rt *router) {
	for _, noun := range []string{"nodes", "services", "tasks", "secrets", "configs"} {
		for _, method := range []string{"GET", "POST", "DELETE"} {
			rt.on(method+" /"+noun, noSwarm)
			rt.on(method+" /"+noun+"/{rest...}", noSwarm)
		}
	}
	rt.on("GET /swarm", noSwarm)
	rt.on("GET /swarm/unlockkey", noSwarm)
	rt.on("POST /swarm/update", noSwarm)
	rt.on("POST /swarm/unlock", noSwarm)
	rt.on("POST /swarm/init", noSwarmMode)
	rt.on("POST /swarm/join", noSwarmMode)
	rt.on("POST /swarm/leave", func(http.ResponseWriter, *http.Request) error {
		return &statusError{http.StatusServiceUnavailable, "This node is not part of a swarm"}
	})

	rt.on("GET /plugins", noPlugins)
	rt.onNamed("GET /plugins/", "/json", noPlugin)
	rt.onNamed("DELETE /plugins/", "", noPlugin)
	for _, verb := range []string{"enable", "disable", "push", "set", "upgrade"} {
		rt.onNamed("POST /plugins/", "/"+verb, noPlugin)
	}
	noInstall := missing("berth has no plugins: volumes, networks and logs are built in")
	rt.on("GET /plugins/privileges", noInstall)
	rt.on("POST /plugins/pull", noInstall)
	rt.on("POST /plugins/create", noInstall)

	rt.on("GET /containers/{id}/checkpoints", missing("this engine does not checkpoint containers"))
	rt.on("POST /containers/{id}/checkpoints", missing("this engine does not checkpoint containers"))

	rt.onNamed("GET /images/", "/attestations", missing("this engine does not keep attestations of images"))
}

// noSwarm is what a dockerd outside a swarm answers to everything of a swarm.
func noSwarm(http.ResponseWriter, *http.Request) error {
	return &statusError{http.StatusServiceUnavailable, `This node is not a swarm manager. Use "docker swarm init" or ` +
		`"docker swarm join" to connect this node to swarm and try again.`}
}

// noSwarmMode answers the requests that would make a swarm, which berth does not do.
func noSwarmMode(http.ResponseWriter, *http.Request) error {
	return &statusError{http.StatusNotImplemented, "berth has no swarm mode; run services with docker compose"}
}

// noPlugins answers GET /plugins: there are none.
func noPlugins(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, []plugin.Plugin{})
}

// noPlugin answers what names a plugin.
func noPlugin(_ http.ResponseWriter, r *http.Request) error {
	return &statusError{http.StatusNotFound, "plugin " + strconv.Quote(r.PathValue("name")) + " not found"}
}

// missing answers for what this engine cannot do: what it is, and what to do instead.
func missing(message string) handler {
	return func(http.ResponseWriter, *http.Request) error {
		return &statusError{http.StatusNotImplemented, message}
	}
}
