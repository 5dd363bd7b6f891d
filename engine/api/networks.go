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
	Create(context.Context, network.CreateRequest) (id string, err error)
	Remove(ctx context.Context, ref string) error
	Prune(context.Context, filter.Args) (names []string, err error)
}

// networkMembers are the containers that join and leave networks.
type networkMembers interface {
	Connect(ctx context.Context, network, container string, es *network.EndpointSettings) error
	Disconnect(ctx context.Context, network, container string) error
}

// networkHandlers answer /networks….
type networkHandlers struct {
	networks networks
	members  networkMembers
}

func (n *networkHandlers) routes(rt *router) {
	rt.on("GET /networks", n.list)
	rt.on("GET /networks/{$}", n.list) // as docker has it, alone among the lists
	rt.on("GET /networks/{id}", n.inspect)
	rt.on("POST /networks/prune", n.prune)
	rt.on("POST /networks/create", n.create)
	rt.on("DELETE /networks/{id}", n.remove)
	rt.on("POST /networks/{id}/connect", n.connect)
	rt.on("POST /networks/{id}/disconnect", n.disconnect)
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
	answer, err := networksOf(found, versionOf(r))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, answer)
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

// create answers POST /networks/create.
func (n *networkHandlers) create(w http.ResponseWriter, r *http.Request) error {
	var req network.CreateRequest
	if err := readJSON(w, r, &req); err != nil {
		return err
	}
	id, err := n.networks.Create(r.Context(), req)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, network.CreateResponse{ID: id})
}

// remove answers DELETE /networks/{id}.
func (n *networkHandlers) remove(w http.ResponseWriter, r *http.Request) error {
	if err := n.networks.Remove(r.Context(), r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// connect answers POST /networks/{id}/connect.
func (n *networkHandlers) connect(w http.ResponseWriter, r *http.Request) error {
	var req network.ConnectRequest
	if err := readJSON(w, r, &req); err != nil {
		return err
	}
	return n.members.Connect(r.Context(), r.PathValue("id"), req.Container, req.EndpointConfig)
}

// disconnect answers POST /networks/{id}/disconnect. That it is forced makes no
// difference: an endpoint never outlives its container here.
func (n *networkHandlers) disconnect(w http.ResponseWriter, r *http.Request) error {
	var req network.DisconnectRequest
	if err := readJSON(w, r, &req); err != nil {
		return err
	}
	return n.members.Disconnect(r.Context(), r.PathValue("id"), req.Container)
}

// prune answers POST /networks/prune.
func (n *networkHandlers) prune(w http.ResponseWriter, r *http.Request) error {
	filters, err := filter.Parse(r.URL.Query().Get("filters"))
	if err != nil {
		return err
	}
	names, err := n.networks.Prune(r.Context(), filters)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, network.PruneReport{NetworksDeleted: list(names)})
}
