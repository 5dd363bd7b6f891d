package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"

	"berth/engine"
	"berth/engine/filter"

	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/jsonstream"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// imageReader shows images.
type imageReader interface {
	List(context.Context, engine.ImageListOptions) ([]image.Summary, error)
	Inspect(ctx context.Context, ref string) (image.InspectResponse, error)
	Provides(ctx context.Context, ref string, platform *ocispec.Platform) error
	Parent(ctx context.Context, ref string) (id string, err error)
	History(ctx context.Context, ref string) ([]image.HistoryResponseItem, error)
	Save(ctx context.Context, w io.Writer, refs []string) error
}

// imageWriter changes the set of images.
type imageWriter interface {
	Load(ctx context.Context, r io.Reader) ([]engine.LoadedImage, error)
	Import(ctx context.Context, r io.Reader, o engine.ImportOptions) (id string, err error)
	Fetch(ctx context.Context, src string) (engine.Download, error)
	Tag(ctx context.Context, ref, repo, tag string) error
	Remove(ctx context.Context, ref string, o engine.ImageRemoveOptions) ([]image.DeleteResponse, error)
	Prune(context.Context, filter.Args) (image.PruneReport, error)
}

// imageHandlers answer /images/….
type imageHandlers struct {
	read  imageReader
	write imageWriter
	pull  handler // POST /images/create?fromImage=
}

func (i *imageHandlers) routes(rt *router) {
	rt.on("GET /images/json", i.list)
	rt.on("GET /images/get", i.save)
	rt.on("POST /images/load", i.load)
	rt.on("POST /images/create", i.create)
	rt.on("POST /images/prune", i.prune)
	rt.onNamed("GET /images/", "/json", i.inspect)
	rt.onNamed("GET /images/", "/history", i.history)
	rt.onNamed("GET /images/", "/get", i.save)
	rt.onNamed("POST /images/", "/tag", i.tag)
	rt.onNamed("DELETE /images/", "", i.remove)
}

// list answers GET /images/json, newest first; ?all= also images without a name that others were made of. ?manifests= is
// for stores of several platforms. ?filter= was the filter "reference" until 1.41.
func (i *imageHandlers) list(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	filters, err := filter.Parse(query.Get("filters"))
	if err != nil {
		return err
	}
	if name := query.Get("filter"); name != "" && versionOf(r).before(41) {
		filters["reference"] = append(filters["reference"], name)
	}
	found, err := i.read.List(r.Context(), engine.ImageListOptions{All: flag(query, "all"), SharedSize: flag(query, "shared-size"), Filters: filters})
	if err != nil {
		return err
	}
	answer, err := summariesOf(found, versionOf(r))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, answer)
}

// provided checks ?platform=, which API 1.<since> brought, against the images that are asked for: there is one of each
// name, and another platform's is not found.
func (i *imageHandlers) provided(r *http.Request, since int, refs ...string) error {
	asked := r.URL.Query()["platform"]
	switch {
	case versionOf(r).before(since) || len(asked) == 0 || asked[0] == "":
		return nil
	case len(asked) > 1:
		return invalid("multiple platform parameters not supported")
	}
	var want ocispec.Platform
	if err := json.Unmarshal([]byte(asked[0]), &want); err != nil {
		return invalid("failed to parse platform: %w", err)
	}
	if want.OS == "" || want.Architecture == "" {
		return invalid("both OS and Architecture must be provided")
	}
	for _, ref := range refs {
		if err := i.read.Provides(r.Context(), ref, &want); err != nil {
			return err
		}
	}
	return nil
}

// inspect answers GET /images/{name}/json.
func (i *imageHandlers) inspect(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	if flag(query, "manifests") && query.Get("platform") != "" && !versionOf(r).before(49) {
		return invalid("conflicting options: manifests and platform options cannot both be set")
	}
	if err := i.provided(r, 49, r.PathValue("name")); err != nil {
		return err
	}
	found, err := i.read.Inspect(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	parent := ""
	if versionOf(r).before(52) {
		if parent, err = i.read.Parent(r.Context(), found.ID); err != nil {
			return err
		}
	}
	answer, err := imageOf(found, parent, versionOf(r))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, answer)
}

// history answers GET /images/{name}/history, newest step first.
func (i *imageHandlers) history(w http.ResponseWriter, r *http.Request) error {
	if err := i.provided(r, 48, r.PathValue("name")); err != nil {
		return err
	}
	steps, err := i.read.History(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, list(steps))
}

// tag answers POST /images/{name}/tag?repo=&tag= with 201.
func (i *imageHandlers) tag(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	if err := i.write.Tag(r.Context(), r.PathValue("name"), query.Get("repo"), query.Get("tag")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusCreated)
	return nil
}

// remove answers DELETE /images/{name} with the names and layers that went, or 409 if a container or another name keeps
// the image and ?force= cannot or does not help.
func (i *imageHandlers) remove(w http.ResponseWriter, r *http.Request) error {
	o := engine.ImageRemoveOptions{Force: flag(r.URL.Query(), "force"), KeepParents: flag(r.URL.Query(), "noprune")}
	removed, err := i.write.Remove(r.Context(), r.PathValue("name"), o)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, list(removed))
}

// prune answers POST /images/prune: images without a name go; with dangling=false in ?filters= all that no container uses.
func (i *imageHandlers) prune(w http.ResponseWriter, r *http.Request) error {
	filters, err := filter.Parse(r.URL.Query().Get("filters"))
	if err != nil {
		return err
	}
	report, err := i.write.Prune(r.Context(), filters)
	if err != nil {
		return err
	}
	report.ImagesDeleted = list(report.ImagesDeleted)
	return writeJSON(w, http.StatusOK, report)
}

// save sends the images of ?names=, or the one of the path. They are found before the first byte is sent, so that a
// wrong name has a status; a failure later cuts the connection.
func (i *imageHandlers) save(w http.ResponseWriter, r *http.Request) error {
	refs := r.URL.Query()["names"]
	if name := r.PathValue("name"); name != "" {
		refs = []string{name}
	}
	if len(refs) == 0 {
		return invalid("no image was named: give ?names=, once for each image")
	}
	if err := i.provided(r, 48, refs...); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/x-tar")
	return i.read.Save(r.Context(), w, refs)
}

// load answers POST /images/load. The body is the archive, of any size: it goes to disk as it comes. The status is
// always 200: docker's clients look for what is wrong with an archive among the messages, and python's raises its
// ImageLoadError for those alone.
func (i *imageHandlers) load(w http.ResponseWriter, r *http.Request) error {
	loaded, err := i.write.Load(r.Context(), r.Body)
	if err != nil {
		p := newProgress(w)
		p.message(jsonstream.Message{Error: &jsonstream.Error{Message: messageOf(err)}})
		return nil
	}
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	for _, img := range loaded {
		text := "Loaded image: " + img.Ref
		if img.Ref == "" {
			text = "Loaded image ID: " + img.ID
		}
		if err := enc.Encode(jsonstream.Message{Stream: text + "\n"}); err != nil {
			return err
		}
	}
	return nil
}

// create makes an image of a root file system in the body, or pulls one with ?fromImage=.
func (i *imageHandlers) create(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	if query.Get("fromImage") != "" {
		return i.pull(w, r)
	}
	platform, err := platformOf(query.Get("platform"))
	if err != nil {
		return err
	}
	o := engine.ImportOptions{
		Repo: query.Get("repo"), Tag: query.Get("tag"), Message: query.Get("message"), Changes: query["changes"], Platform: platform,
	}
	if src := query.Get("fromSrc"); src != "-" {
		return i.importFrom(w, r, src, o)
	}
	id, err := i.write.Import(r.Context(), r.Body, o)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, jsonstream.Message{Status: id})
}
