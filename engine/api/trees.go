package api

import (
	"context"
	"io"
	"iter"
	"net/http"

	"berth/engine"
	"berth/engine/api/berthapi"
	"berth/store/diff"
)

// treeReader looks into the file systems of images, layers and containers, and compares them.
type treeReader interface {
	Entries(ctx context.Context, tree string, o engine.EntryOptions) (iter.Seq2[diff.UnionEntry, error], error)
	File(ctx context.Context, tree, path string) (io.ReadCloser, int64, error)
	Archive(ctx context.Context, tree, path string, w io.Writer) error
	Compare(ctx context.Context, from, to string, o diff.CompareOptions) (iter.Seq2[diff.Difference, error], error)
	FileDiff(ctx context.Context, from, to, path string) (string, error)
}

func (b *berthHandlers) treeRoutes(rt *router) {
	rt.on("GET /berth/trees/{tree}/entries", marked(b.treeEntries))
	rt.on("GET /berth/trees/{tree}/file", marked(b.treeFile))
	rt.on("GET /berth/trees/{tree}/archive", marked(b.treeArchive))
	rt.on("GET /berth/diff", marked(b.compare))
	rt.on("GET /berth/diff/file", marked(b.fileDiff))
}

// treeEntries answers GET /berth/trees/{tree}/entries as that of layers.
func (b *berthHandlers) treeEntries(w http.ResponseWriter, r *http.Request) error {
	o, err := entryOptions(r)
	if err != nil {
		return err
	}
	entries, err := b.trees.Entries(r.Context(), r.PathValue("tree"), o)
	if err != nil {
		return err
	}
	return sendEntries(w, entries)
}

// treeFile answers GET /berth/trees/{tree}/file?path=.
func (b *berthHandlers) treeFile(w http.ResponseWriter, r *http.Request) error {
	file, size, err := b.trees.File(r.Context(), r.PathValue("tree"), r.URL.Query().Get("path"))
	if err != nil {
		return err
	}
	return sendFile(w, file, size)
}

// treeArchive answers GET /berth/trees/{tree}/archive?path= with a tar, cut off if reading fails.
func (b *berthHandlers) treeArchive(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Type", "application/x-tar")
	return b.trees.Archive(r.Context(), r.PathValue("tree"), r.URL.Query().Get("path"), w)
}

// layerTar answers GET /berth/images/{ref}/layers/{n}/archive.
func (b *berthHandlers) layerTar(w http.ResponseWriter, r *http.Request) error {
	n, err := layerOf(r)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/x-tar")
	return b.layers.LayerTar(r.Context(), r.PathValue("ref"), n, w)
}

// compare answers GET /berth/diff?from=&to=[&dir=][&ignore-times=1], a line of JSON for each difference.
func (b *berthHandlers) compare(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	found, err := b.trees.Compare(r.Context(), query.Get("from"), query.Get("to"), diff.CompareOptions{
		Dir: query.Get("dir"), IgnoreTimes: flag(query, "ignore-times"),
	})
	if err != nil {
		return err
	}
	return sendLines(w, found, func(d diff.Difference) any {
		out := berthapi.Difference{Path: d.Path, Kind: kindOf[d.Kind]}
		for _, side := range []struct {
			from *diff.Entry
			into **berthapi.Entry
		}{{d.Old, &out.Old}, {d.New, &out.New}} {
			if side.from != nil {
				e := entryOf(side.from, diff.Unchanged)
				*side.into = &e
			}
		}
		return out
	})
}

// fileDiff answers GET /berth/diff/file?from=&to=&path= with a unified diff, empty if there is no difference.
func (b *berthHandlers) fileDiff(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	text, err := b.trees.FileDiff(r.Context(), query.Get("from"), query.Get("to"), query.Get("path"))
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/x-diff")
	_, err = io.WriteString(w, text)
	return err
}

// waste answers GET /berth/images/{ref}/waste.
func (b *berthHandlers) waste(w http.ResponseWriter, r *http.Request) error {
	found, err := b.layers.Waste(r.Context(), r.PathValue("ref"))
	if err != nil {
		return err
	}
	answer := berthapi.Waste{
		Efficiency: found.Efficiency, Size: found.Size, UserSize: found.UserSize, Wasted: found.Wasted, UserPercent: found.UserPercent,
		Files: make([]berthapi.WastedFile, len(found.Files)),
	}
	for i, f := range found.Files {
		answer.Files[i] = berthapi.WastedFile(f)
	}
	return writeJSON(w, http.StatusOK, answer)
}
