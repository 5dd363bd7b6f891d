package engine

import (
	"time"

	"berth/engine/filter"

	"github.com/moby/moby/api/types/build"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/volume"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// ImageListOptions choose the images of a listing.
type ImageListOptions struct {
	All        bool // also images without a name that others were made of
	SharedSize bool // fill in SharedSize, which looks at all images
	// Filters: before, dangling, label, reference, since, until.
	Filters filter.Args
}

// ImageRemoveOptions say how hard to try.
type ImageRemoveOptions struct {
	Force       bool // even if stopped containers or several names use it
	KeepParents bool // the images without a name that it was made of stay
}

// ImportOptions describe the image that a root file system becomes.
type ImportOptions struct {
	Repo, Tag string   // "" makes an image without a name
	Message   string   // the comment of its history
	Changes   []string // Dockerfile instructions that set its configuration
	Platform  *ocispec.Platform
}

// LoadedImage is one image that an archive brought. Ref is one of its names, "" if the archive gave it none.
type LoadedImage struct{ ID, Ref string }

// Layer is one step of an image's history, oldest first; the fields are those of berthapi.Layer.
type Layer struct {
	Index                    int
	DiffID, ChainID, Digest  string
	Size                     int64 // bytes of file content
	CreatedBy, Comment       string
	Created                  time.Time
	Empty                    bool // changed the configuration only
	Added, Modified, Deleted int
	Wasted                   int64 // bytes of lower layers that this one hides
}

// DiskUsage is what the engine keeps on disk.
type DiskUsage struct {
	Images     image.DiskUsage
	Containers container.DiskUsage
	Volumes    volume.DiskUsage
	Builds     build.DiskUsage
}
