package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"

	"berth/engine"

	"github.com/moby/moby/api/types/container"
)

// containerFiles brings files into containers and out of them.
type containerFiles interface {
	StatPath(ctx context.Context, ref, path string) (container.PathStat, error)
	CopyOut(ctx context.Context, ref, path string, describe func(container.PathStat) (io.Writer, error)) error
	CopyIn(ctx context.Context, ref, dir string, r io.Reader, o engine.CopyInOptions) error
}

// archiveHandlers answer /containers/{id}/archive.
type archiveHandlers struct{ files containerFiles }

func (a *archiveHandlers) routes(rt *router) {
	rt.on("HEAD /containers/{id}/archive", a.stat)
	rt.on("GET /containers/{id}/archive", a.get)
	rt.on("PUT /containers/{id}/archive", a.put)
}

// pathStatHeader tells what is being copied, as JSON in base64.
const pathStatHeader = "X-Docker-Container-Path-Stat"

func describe(w http.ResponseWriter, stat container.PathStat) error {
	b, err := json.Marshal(stat)
	if err != nil {
		return err
	}
	w.Header().Set(pathStatHeader, base64.StdEncoding.EncodeToString(b))
	return nil
}

// archivePath is the path that a request names.
func archivePath(r *http.Request) (string, error) {
	path := r.URL.Query().Get("path")
	if path == "" {
		return "", invalid("bad parameter: path")
	}
	return path, nil
}

// stat answers HEAD /containers/{id}/archive by a header.
func (a *archiveHandlers) stat(w http.ResponseWriter, r *http.Request) error {
	path, err := archivePath(r)
	if err != nil {
		return err
	}
	stat, err := a.files.StatPath(r.Context(), r.PathValue("id"), path)
	if err != nil {
		return err
	}
	return describe(w, stat)
}

// get answers GET /containers/{id}/archive with a tar, cut off if reading fails.
func (a *archiveHandlers) get(w http.ResponseWriter, r *http.Request) error {
	path, err := archivePath(r)
	if err != nil {
		return err
	}
	return a.files.CopyOut(r.Context(), r.PathValue("id"), path, func(stat container.PathStat) (io.Writer, error) {
		w.Header().Set("Content-Type", "application/x-tar")
		return w, describe(w, stat)
	})
}

// put answers PUT /containers/{id}/archive, whose body is a tar that may be compressed.
func (a *archiveHandlers) put(_ http.ResponseWriter, r *http.Request) error {
	path, err := archivePath(r)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	return a.files.CopyIn(r.Context(), r.PathValue("id"), path, r.Body, engine.CopyInOptions{
		KeepKind: flag(query, "noOverwriteDirNonDir"), ToUser: flag(query, "copyUIDGID"),
	})
}
