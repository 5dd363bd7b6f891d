package api

import (
	"context"
	"net/http"

	"berth/engine/filter"

	"github.com/moby/moby/api/types/network"
)

// networks are what containers connect to.
type networks interface {
	List(context.Context, filter.Args) ([]network.Summary, error)
	Inspect(ctx context.Context, ref string) (network.Inspect, error)
}

// networkHandlers answer /networks….
type networkHandlers struct{ networks networks }

func (n *networkHandlers) routes(rt *router) {
	rt.on("GET /networks", n.list)
	rt.on("GET /networks/{id}", n.inspect)
	rt.on("POST /networks/prune", n.prune)
	rt.on("DELETE /networks/{id}", n.remove)
	for _, pattern := range []string{"POST /networks/create", "POST /networks/{id}/connect", "POST /networks/{id}/disconnect"} {
		rt.on(pattern, missing("this engine has only the networks bridge, host and none; it does not make, change or remove networks yet"))
	}
}

// list answers GET /networks, without the containers in them.
func (n *networkHandlers) list(w http.ResponseWriter, r *http.Request) error {
	filters, err := filter.Parse(r.URL.Query().Get("filters"))
	if err != nil {
		return err
	}
	found, err := n.networks.List(r.Context(), filters)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, list(found))
}

// inspect answers GET /networks/{id}, with the containers in it.
func (n *networkHandlers) inspect(w http.ResponseWriter, r *http.Request) error {
	if scope := r.URL.Query().Get("scope"); scope != "" && scope != "local" {
		return &statusError{http.StatusNotFound, "network " + r.PathValue("id") + " not found: this engine has local networks only"}
	}
	found, err := n.networks.Inspect(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, found)
}

// remove refuses: every network there is, is one that every engine has.
func (n *networkHandlers) remove(_ http.ResponseWriter, r *http.Request) error {
	found, err := n.networks.Inspect(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return &statusError{http.StatusForbidden, found.Name + " is a pre-defined network and cannot be removed"}
}

// prune removes no network: those that the engine always has are never pruned, and there are no others.
func (n *networkHandlers) prune(w http.ResponseWriter, r *http.Request) error {
	if _, err := filter.Parse(r.URL.Query().Get("filters")); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, network.PruneReport{NetworksDeleted: []string{}})
}
