package api

import (
	"context"
	"io"
	"iter"
	"net/http"
	"strconv"
	"unicode/utf8"

	"berth/engine"
	"berth/engine/api/berthapi"
	"berth/store/diff"
)

// layerReader shows what is inside images.
type layerReader interface {
	Layers(ctx context.Context, ref string) ([]engine.Layer, error)
	LayerEntries(ctx context.Context, ref string, layer int, o engine.EntryOptions) (iter.Seq2[diff.UnionEntry, error], error)
	File(ctx context.Context, ref string, layer int, path string) (io.ReadCloser, int64, error)
	LayerTar(ctx context.Context, ref string, layer int, w io.Writer) error
	Waste(ctx context.Context, ref string) (diff.Waste, error)
}

// liveReader shows what is inside containers.
type liveReader interface {
	LiveDiff(ctx context.Context, ref string) (iter.Seq2[diff.Change, error], error)
	File(ctx context.Context, ref, path string) (io.ReadCloser, int64, error)
}

// berthHandlers answer /berth/…; the types are those of berthapi.
type berthHandlers struct {
	layers layerReader
	live   liveReader
	trees  treeReader
	store  storeChecker
	ports  portChanger
}

func (b *berthHandlers) routes(rt *router) {
	rt.on("GET /berth/images/{ref}/layers", marked(b.listLayers))
	rt.on("GET /berth/images/{ref}/layers/{n}/entries", marked(b.entries))
	rt.on("GET /berth/images/{ref}/layers/{n}/file", marked(b.layerFile))
	rt.on("GET /berth/images/{ref}/layers/{n}/archive", marked(b.layerTar))
	rt.on("GET /berth/images/{ref}/waste", marked(b.waste))
	b.treeRoutes(rt)
	rt.on("GET /berth/containers/{id}/changes", marked(b.changes))
	rt.on("GET /berth/containers/{id}/file", marked(b.containerFile))
	rt.on("POST /berth/containers/{id}/ports", marked(b.changePorts))
	rt.on("GET /berth/system/check", marked(b.check))
	rt.on("POST /berth/system/check", marked(b.check))
	rt.on("GET /berth/", marked(func(http.ResponseWriter, *http.Request) error { return pageNotFound }))
}

// listLayers answers GET /berth/images/{ref}/layers.
func (b *berthHandlers) listLayers(w http.ResponseWriter, r *http.Request) error {
	layers, err := b.layers.Layers(r.Context(), r.PathValue("ref"))
	if err != nil {
		return err
	}
	answer := make([]berthapi.Layer, len(layers))
	for i, l := range layers {
		answer[i] = berthapi.Layer(l)
	}
	return writeJSON(w, http.StatusOK, answer)
}

// entries answers GET /berth/images/{ref}/layers/{n}/entries, a line of JSON each, as they are read from the index: neither
// side holds them all. An index that turns out damaged cuts the answer off.
func (b *berthHandlers) entries(w http.ResponseWriter, r *http.Request) error {
	n, err := layerOf(r)
	if err != nil {
		return err
	}
	o, err := entryOptions(r)
	if err != nil {
		return err
	}
	entries, err := b.layers.LayerEntries(r.Context(), r.PathValue("ref"), n, o)
	if err != nil {
		return err
	}
	return sendEntries(w, entries)
}

// entryOptions reads ?union=&dir=&depth=&after=&limit=.
func entryOptions(r *http.Request) (engine.EntryOptions, error) {
	query := r.URL.Query()
	o := engine.EntryOptions{Union: flag(query, "union"), Dir: query.Get("dir"), After: query.Get("after")}
	var err error
	if o.Depth, err = number(query, "depth", 0); err != nil {
		return o, err
	}
	o.Limit, err = number(query, "limit", 0)
	return o, err
}

// sendEntries sends entries, a line of JSON each.
func sendEntries(w http.ResponseWriter, entries iter.Seq2[diff.UnionEntry, error]) error {
	return sendLines(w, entries, func(e diff.UnionEntry) any { return entryOf(&e.Entry, e.Kind) })
}

// entryOf is an entry in the API's terms.
func entryOf(e *diff.Entry, kind diff.Kind) berthapi.Entry {
	return berthapi.Entry{
		Path: e.Path, Kind: kindOf[kind], Type: berthapi.TypeOf(e.FileMode()), Mode: e.Mode,
		UID: e.UID, GID: e.GID, Size: e.Size, Link: e.Link, Digest: e.Digest.String(), ModTime: e.ModTime,
		Raw: rawOf(e.Path, e.Link),
	}
}

// layerFile answers GET /berth/images/{ref}/layers/{n}/file?path=.
func (b *berthHandlers) layerFile(w http.ResponseWriter, r *http.Request) error {
	n, err := layerOf(r)
	if err != nil {
		return err
	}
	file, size, err := b.layers.File(r.Context(), r.PathValue("ref"), n, r.URL.Query().Get("path"))
	if err != nil {
		return err
	}
	return sendFile(w, file, size)
}

// changes answers GET /berth/containers/{id}/changes: as docker's route of that name, but telling a change of mode or owner
// from one of content, and with what the console shows of a file; a line of JSON each.
func (b *berthHandlers) changes(w http.ResponseWriter, r *http.Request) error {
	changes, err := b.live.LiveDiff(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return sendLines(w, changes, func(c diff.Change) any {
		return berthapi.Change{
			Path: c.Path, Kind: berthapi.ChangeKind(c.Kind), Mode: c.Mode, UID: c.UID, GID: c.GID, Size: c.Size, ModTime: c.ModTime, Link: c.Link,
			Raw: rawOf(c.Path, c.Link),
		}
	})
}

// rawOf keeps what JSON would lose.
func rawOf(path, link string) *berthapi.Raw {
	if utf8.ValidString(path) && utf8.ValidString(link) {
		return nil
	}
	return &berthapi.Raw{Path: []byte(path), Link: []byte(link)}
}

// kindOf names what a layer did to a path.
var kindOf = map[diff.Kind]berthapi.Kind{
	diff.Added: berthapi.Added, diff.Modified: berthapi.Modified, diff.Metadata: berthapi.Metadata, diff.Deleted: berthapi.Deleted,
}

// containerFile answers GET /berth/containers/{id}/file?path=.
func (b *berthHandlers) containerFile(w http.ResponseWriter, r *http.Request) error {
	file, size, err := b.live.File(r.Context(), r.PathValue("id"), r.URL.Query().Get("path"))
	if err != nil {
		return err
	}
	return sendFile(w, file, size)
}

// layerOf reads the {n} of a path.
func layerOf(r *http.Request) (int, error) {
	n, err := strconv.Atoi(r.PathValue("n"))
	if err != nil || n < 0 {
		return 0, invalid("%q is not the number of a layer", r.PathValue("n"))
	}
	return n, nil
}

// sendFile sends at most size bytes of file, and closes it. The length is announced, so a file that shrinks meanwhile
// is a cut reply, not a short file.
func sendFile(w http.ResponseWriter, file io.ReadCloser, size int64) error {
	defer file.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	_, err := io.CopyN(w, file, size)
	return err
}
