package state

import (
	"strings"

	"github.com/moby/moby/api/types/image"

	"berth/tui/text"
)

// Image is one name of an image, or one image without a name. An image with
// two tags is two rows, since verbs act on names.
type Image struct {
	ID      string
	Tag     string // "nginx:1.27"; "" when dangling
	Size    int64
	Created int64 // Unix seconds
}

// Key tells rows apart.
func (i Image) Key() string { return i.Tag + "@" + i.ID }

// Ref is how to name the image to the engine.
func (i Image) Ref() string {
	if i.Tag != "" {
		return i.Tag
	}
	return i.ID
}

// Title is what the row is called.
func (i Image) Title() string {
	if i.Tag != "" {
		return strings.TrimSuffix(i.Tag, ":latest")
	}
	return "<none> " + Short(i.ID)
}

// Match is what the filter looks at.
func (i Image) Match() string {
	if i.Tag == "" {
		return "<none> dangling " + Short(i.ID)
	}
	return i.Tag + " " + Short(i.ID)
}

// FromImages cleans the engine's list, one row for each name.
func FromImages(list []image.Summary) []Image {
	out := make([]Image, 0, len(list))
	for _, s := range list {
		base := Image{ID: text.Clean(s.ID), Size: s.Size, Created: s.Created}
		named := false
		for _, t := range s.RepoTags {
			if t == "" || t == "<none>:<none>" {
				continue
			}
			row := base
			row.Tag = text.Clean(t)
			out = append(out, row)
			named = true
		}
		if !named {
			out = append(out, base)
		}
	}
	return out
}
