package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/containerd/platforms"
	"github.com/moby/moby/api/types/image"

	"berth/cmd/berth/output"
)

// imagesTree prints images with what they are for below them, as far as the engine keeps images for several platforms;
// the columns are docker's.
func imagesTree(w io.Writer, images []image.Summary, noTrunc bool) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "IMAGE\tID\tDISK USAGE\tCONTENT SIZE\tEXTRA")
	id := output.ShortID
	if noTrunc {
		id = func(full string) string { return full }
	}
	for _, s := range images {
		names := slices.Clone(s.RepoTags)
		if len(names) == 0 {
			names = []string{"<untagged>"}
		}
		slices.Sort(names)
		children := imageManifests(s)
		content, used := int64(0), s.Containers > 0
		for _, m := range children {
			content += m.Size.Content
			used = used || len(m.ImageData.Containers) > 0
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", names[0], id(s.ID), output.Size(s.Size), output.Size(content), inUse(used))
		for _, name := range names[1:] {
			fmt.Fprintf(t, "%s\t\t\t\t\n", name)
		}
		for i, m := range children {
			branch := "├─ "
			if i == len(children)-1 {
				branch = "└─ "
			}
			fmt.Fprintf(t, "%s%s\t%s\t%s\t%s\t%s\n", branch, platforms.Format(m.ImageData.Platform), id(m.ID),
				output.Size(m.Size.Total), output.Size(m.Size.Content), inUse(len(m.ImageData.Containers) > 0))
		}
	}
	return t.Flush()
}

// imageManifests are the images of an index, those that are here first.
func imageManifests(s image.Summary) []image.ManifestSummary {
	children := slices.DeleteFunc(slices.Clone(s.Manifests), func(m image.ManifestSummary) bool {
		return m.Kind != image.ManifestKindImage || m.ImageData == nil
	})
	slices.SortStableFunc(children, func(a, b image.ManifestSummary) int {
		return cmp.Compare(missing(a), missing(b))
	})
	return children
}

// missing orders what is not here behind what is.
func missing(m image.ManifestSummary) int {
	if m.Available {
		return 0
	}
	return 1
}

// inUse is the mark of an image that containers are of.
func inUse(used bool) string {
	if used {
		return "U"
	}
	return ""
}
