package api

import (
	"context"
	"net/http"

	"berth/engine/filter"

	"github.com/moby/moby/api/types/volume"
)

// volumes are the named directories that containers mount.
type volumes interface {
	Create(context.Context, volume.CreateRequest) (volume.Volume, error)
	List(context.Context, filter.Args) ([]volume.Volume, error)
	Inspect(ctx context.Context, name string) (volume.Volume, error)
	Remove(ctx context.Context, name string, force bool) error
	Prune(context.Context, filter.Args) (volume.PruneReport, error)
}

// volumeHandlers answer /volumes….
type volumeHandlers struct{ volumes volumes }

func (v *volumeHandlers) routes(rt *router) {
	rt.on("GET /volumes", v.list)
	rt.on("POST /volumes/create", v.create)
	rt.on("POST /volumes/prune", v.prune)
	rt.on("GET /volumes/{name}", v.inspect)
	rt.on("DELETE /volumes/{name}", v.remove)
	rt.on("PUT /volumes/{name}", noSwarm) // only cluster volumes can be updated
}

// list answers GET /volumes.
func (v *volumeHandlers) list(w http.ResponseWriter, r *http.Request) error {
	filters, err := filter.Parse(r.URL.Query().Get("filters"))
	if err != nil {
		return err
	}
	found, err := v.volumes.List(r.Context(), filters)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, volume.ListResponse{Volumes: list(found), Warnings: []string{}})
}

// create answers POST /volumes/create with 201, also for a volume that exists.
func (v *volumeHandlers) create(w http.ResponseWriter, r *http.Request) error {
	var req volume.CreateRequest
	if err := readJSON(w, r, &req); err != nil {
		return err
	}
	if req.ClusterVolumeSpec != nil {
		return noSwarm(w, r)
	}
	created, err := v.volumes.Create(r.Context(), req)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, created)
}

// inspect answers GET /volumes/{name}.
func (v *volumeHandlers) inspect(w http.ResponseWriter, r *http.Request) error {
	found, err := v.volumes.Inspect(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, found)
}

// remove answers DELETE /volumes/{name} with 204, or 409 if a container uses it; with ?force= (since 1.25) a volume that is
// not there is no error.
func (v *volumeHandlers) remove(w http.ResponseWriter, r *http.Request) error {
	force := flag(r.URL.Query(), "force") && !versionOf(r).before(25)
	return noContent(w, v.volumes.Remove(r.Context(), r.PathValue("name"), force))
}

// prune answers POST /volumes/prune: anonymous volumes that nothing uses go; with all=true in ?filters= named ones too.
func (v *volumeHandlers) prune(w http.ResponseWriter, r *http.Request) error {
	filters, err := filter.Parse(r.URL.Query().Get("filters"))
	if err != nil {
		return err
	}
	if versionOf(r).before(42) && !filters.Has("all") {
		// Until then named volumes went too.
		filters["all"] = []string{"true"}
	}
	report, err := v.volumes.Prune(r.Context(), filters)
	if err != nil {
		return err
	}
	report.VolumesDeleted = list(report.VolumesDeleted)
	return writeJSON(w, http.StatusOK, report)
}
