package api

import (
	"context"
	"net/http"

	"berth/engine/api/berthapi"

	"github.com/moby/moby/api/types/network"
)

// portChanger changes what a container publishes.
type portChanger interface {
	ChangePorts(ctx context.Context, ref string, add, remove network.PortMap) (network.PortMap, error)
}

// changePorts answers POST /berth/containers/{id}/ports with what is published then.
func (b *berthHandlers) changePorts(w http.ResponseWriter, r *http.Request) error {
	var change berthapi.PortChange
	if err := readJSON(w, r, &change); err != nil {
		return err
	}
	ports, err := b.ports.ChangePorts(r.Context(), r.PathValue("id"), change.Add, change.Remove)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, ports)
}
