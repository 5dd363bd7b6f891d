package api

import (
	"context"
	"net/http"

	"berth/engine/api/berthapi"
	"berth/store/image"
)

// storeChecker reads the store again, and mends it.
type storeChecker interface {
	Check(ctx context.Context, repair bool) (image.Checked, error)
}

// check answers GET /berth/system/check, which looks, and POST, which also mends.
func (b *berthHandlers) check(w http.ResponseWriter, r *http.Request) error {
	c, err := b.store.Check(r.Context(), r.Method == http.MethodPost)
	if err != nil {
		return err
	}
	answer := berthapi.Check{Images: c.Images, Layers: c.Layers, Blobs: c.Blobs, Bytes: c.Bytes, Faults: []berthapi.Fault{}}
	for _, f := range c.Faults {
		answer.Faults = append(answer.Faults, berthapi.Fault{What: f.What, ID: f.ID, Error: f.Err.Error(), Images: f.Images, Mended: f.Mended})
	}
	return writeJSON(w, http.StatusOK, answer)
}
