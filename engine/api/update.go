package api

import (
	"net/http"

	"github.com/moby/moby/api/types/container"
)

// update answers POST /containers/{id}/update with 200 and warnings: the limits of the body that are not zero, and its
// restart policy if it names one, are the container's from now on.
func (c *containerHandlers) update(w http.ResponseWriter, r *http.Request) error {
	var u container.UpdateConfig
	if err := readJSON(w, r, &u); err != nil {
		return err
	}
	if n := u.PidsLimit; n != nil {
		switch {
		case versionOf(r).before(40): // not a part of an update yet
			u.PidsLimit = nil
		case *n < 0:
			u.PidsLimit = new(int64)
		}
	}
	if err := c.life.Update(r.Context(), r.PathValue("id"), u); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, container.UpdateResponse{Warnings: []string{}})
}
