package api

import (
	"context"
	"io"
	"iter"
	"net/http"

	"berth/engine/api/berthapi"
	"berth/store/diff"

	"github.com/moby/moby/api/types/volume"
)

// volumeFiles looks into volumes, and makes them from others and from archives.
type volumeFiles interface {
	Entries(ctx context.Context, name, dir string) (iter.Seq2[diff.Entry, error], error)
	File(ctx context.Context, name, path string) (io.ReadCloser, int64, error)
	Export(ctx context.Context, name string, begin func() io.Writer) error
	Import(ctx context.Context, name string, r io.Reader, force bool) (volume.Volume, error)
	Clone(ctx context.Context, from, to string) (volume.Volume, error)
}

// volumeFileHandlers answer /berth/volumes/…; the types are those of berthapi.
type volumeFileHandlers struct{ volumes volumeFiles }

func (v *volumeFileHandlers) routes(rt *router) {
	rt.on("GET /berth/volumes/{name}/entries", marked(v.entries))
	rt.on("GET /berth/volumes/{name}/file", marked(v.file))
	rt.on("GET /berth/volumes/{name}/archive", marked(v.export))
	rt.on("PUT /berth/volumes/{name}/archive", marked(v.unpack))
	rt.on("POST /berth/volumes/{name}/clone", marked(v.clone))
}

// entries answers GET /berth/volumes/{name}/entries?path= with what is directly in a directory, a line of JSON each.
func (v *volumeFileHandlers) entries(w http.ResponseWriter, r *http.Request) error {
	found, err := v.volumes.Entries(r.Context(), r.PathValue("name"), r.URL.Query().Get("path"))
	if err != nil {
		return err
	}
	return sendLines(w, found, func(e diff.Entry) any {
		out := entryOf(&e, diff.Unchanged)
		out.Digest = "" // nobody has read the file
		return out
	})
}

// file answers GET /berth/volumes/{name}/file?path=.
func (v *volumeFileHandlers) file(w http.ResponseWriter, r *http.Request) error {
	file, size, err := v.volumes.File(r.Context(), r.PathValue("name"), r.URL.Query().Get("path"))
	if err != nil {
		return err
	}
	return sendFile(w, file, size)
}

// export answers GET /berth/volumes/{name}/archive with a tar, cut off if reading fails.
func (v *volumeFileHandlers) export(w http.ResponseWriter, r *http.Request) error {
	return v.volumes.Export(r.Context(), r.PathValue("name"), func() io.Writer {
		w.Header().Set("Content-Type", "application/x-tar")
		return w
	})
}

// unpack answers PUT /berth/volumes/{name}/archive[?force=1], whose body is a tar.
func (v *volumeFileHandlers) unpack(w http.ResponseWriter, r *http.Request) error {
	made, err := v.volumes.Import(r.Context(), r.PathValue("name"), r.Body, flag(r.URL.Query(), "force"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, berthapi.Volume{Name: made.Name})
}

// clone answers POST /berth/volumes/{name}/clone?to=.
func (v *volumeFileHandlers) clone(w http.ResponseWriter, r *http.Request) error {
	made, err := v.volumes.Clone(r.Context(), r.PathValue("name"), r.URL.Query().Get("to"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, berthapi.Volume{Name: made.Name})
}
