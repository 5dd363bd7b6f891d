package api

import (
	"context"
	"net/http"

	"berth/engine"

	"github.com/moby/moby/api/types/container"
)

// committer makes images of containers.
type committer interface {
	Commit(ctx context.Context, ref string, o engine.CommitOptions) (id string, err error)
}

// commitHandlers answer POST /commit.
type commitHandlers struct{ containers committer }

func (c *commitHandlers) routes(rt *router) { rt.on("POST /commit", c.commit) }

// commit answers POST /commit?container=&repo=&tag=&author=&comment=&changes=&pause= with 201 and the ID of the image. The
// body, if there is one, is a configuration that goes before the container's.
func (c *commitHandlers) commit(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	var config *configBody
	if err := readJSON(w, r, &config); err != nil {
		return err
	}
	id, err := c.containers.Commit(r.Context(), query.Get("container"), engine.CommitOptions{
		Repo: query.Get("repo"), Tag: query.Get("tag"), Author: query.Get("author"), Comment: query.Get("comment"),
		Changes: query["changes"], Pause: flagOr(query, "pause", true), Config: config.config(),
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, container.CommitResponse{ID: id})
}
