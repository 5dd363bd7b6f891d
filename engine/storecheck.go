package engine

import (
	"context"
	"fmt"

	"berth/store/image"
)

// Check reads everything in the store again: blobs against their digests, layers against their indexes, records against
// both. With repair, what is damaged is unpacked anew from what is not, or removed with the images that cannot run
// without it. Containers keep running on the files they have.
func (is *Images) Check(ctx context.Context, repair bool) (image.Checked, error) {
	c, err := is.images.Check(ctx, repair)
	if err != nil {
		return c, fmt.Errorf("checking the store: %w", err)
	}
	return c, nil
}
