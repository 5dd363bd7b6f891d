package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/moby/moby/api/types/build"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"berth/cmd/berth/output"
)

// usageRow is a line of system df; the names are docker's.
type usageRow struct {
	Active, Reclaimable, Size, TotalCount, Type string
}

var usageHeaders = output.Headers{"Type": "TYPE", "TotalCount": "TOTAL", "Active": "ACTIVE", "Size": "SIZE", "Reclaimable": "RECLAIMABLE"}

func newSystemDF(a *app) *cobra.Command {
	var format string
	var verbose bool
	c := &cobra.Command{
		Use:   "df [flags]",
		Short: "Show how much disk is used and what pruning would free",
		Args:  args(0, 0, "system df takes no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			if verbose && format != "" {
				return errors.New("the verbose and the format options conflict")
			}
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			u, err := cl.DiskUsage(c.Context(), client.DiskUsageOptions{Containers: true, Images: true, Volumes: true, BuildCache: true, Verbose: true})
			if err != nil {
				return err
			}
			if verbose {
				return a.usageInDetail(u)
			}
			rows := []usageRow{
				usage("Images", u.Images.TotalCount, u.Images.ActiveCount, u.Images.TotalSize, u.Images.Reclaimable),
				usage("Containers", u.Containers.TotalCount, u.Containers.ActiveCount, u.Containers.TotalSize, u.Containers.Reclaimable),
				usage("Local Volumes", u.Volumes.TotalCount, u.Volumes.ActiveCount, u.Volumes.TotalSize, u.Volumes.Reclaimable),
				usage("Build Cache", u.BuildCache.TotalCount, u.BuildCache.ActiveCount, u.BuildCache.TotalSize, u.BuildCache.Reclaimable),
			}
			rows[3].Reclaimable = output.TotalSize(u.BuildCache.Reclaimable) // as docker has it, without a part
			return output.Rows(a.out, output.Spec{
				Format: format, Headers: usageHeaders,
				Table: "{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}",
			}, rows)
		},
	}
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "show every image, container and volume")
	c.Flags().StringVar(&format, "format", "", "table, json or a Go template")
	return c
}

func usage(kind string, total, active, size, free int64) usageRow {
	r := usageRow{Type: kind, TotalCount: strconv.FormatInt(total, 10), Active: strconv.FormatInt(active, 10), Size: output.TotalSize(size), Reclaimable: output.TotalSize(free)}
	if size > 0 {
		r.Reclaimable += fmt.Sprintf(" (%d%%)", free*100/size)
	}
	return r
}

// volumeUsage is a line of what volumes take; the names are docker's.
type volumeUsage struct{ Name, Links, Size string }

// usageInDetail prints what every image, container and volume takes.
func (a *app) usageInDetail(u client.DiskUsageResult) error {
	var images []imageRow
	for _, s := range u.Images.Items {
		images = append(images, imageRows(s, false, false)[0]) // by one name, as docker has it
	}
	fmt.Fprintf(a.out, "Images space usage:\n\n")
	if err := output.Rows(a.out, output.Spec{Headers: imageHeaders,
		Table: "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}"}, images); err != nil {
		return err
	}
	var containers []psRow
	for _, s := range u.Containers.Items {
		r := psRowOf(s, false)
		r.Size = output.Size(s.SizeRw)
		containers = append(containers, r)
	}
	fmt.Fprintf(a.out, "\nContainers space usage:\n\n")
	if err := output.Rows(a.out, output.Spec{Headers: psHeaders,
		Table: "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}"}, containers); err != nil {
		return err
	}
	var volumes []volumeUsage
	for _, v := range u.Volumes.Items {
		r := volumeUsage{Name: v.Name, Links: "N/A", Size: "N/A"}
		if v.UsageData != nil {
			r.Links, r.Size = known(v.UsageData.RefCount), knownSize(v.UsageData.Size)
		}
		volumes = append(volumes, r)
	}
	fmt.Fprintf(a.out, "\nLocal Volumes space usage:\n\n")
	if err := output.Rows(a.out, output.Spec{Headers: output.Headers{"Name": "VOLUME NAME", "Links": "LINKS", "Size": "SIZE"},
		Table: "{{.Name}}\t{{.Links}}\t{{.Size}}"}, volumes); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "\nBuild cache usage: %s\n\n", output.TotalSize(u.BuildCache.TotalSize))
	caches := make([]cacheUsage, len(u.BuildCache.Items))
	for i, c := range u.BuildCache.Items {
		caches[i] = cacheUsageOf(c)
	}
	return output.Rows(a.out, output.Spec{Headers: cacheHeaders,
		Table: "{{.ID}}\t{{.CacheType}}\t{{.Size}}\t{{.CreatedSince}}\t{{.LastUsedSince}}\t{{.UsageCount}}\t{{.Shared}}"}, caches)
}

// cacheUsage is a line of what the build cache takes; the names are docker's.
type cacheUsage struct{ ID, CacheType, Size, CreatedSince, LastUsedSince, UsageCount, Shared string }

var cacheHeaders = output.Headers{
	"ID": "CACHE ID", "CacheType": "CACHE TYPE", "Size": "SIZE", "CreatedSince": "CREATED", "LastUsedSince": "LAST USED",
	"UsageCount": "USAGE", "Shared": "SHARED",
}

func cacheUsageOf(c build.CacheRecord) cacheUsage {
	r := cacheUsage{
		ID: output.ShortID(c.ID), CacheType: c.Type, Size: output.Size(c.Size), CreatedSince: output.Ago(c.CreatedAt),
		UsageCount: strconv.Itoa(c.UsageCount), Shared: strconv.FormatBool(c.Shared),
	}
	if c.InUse {
		r.ID += "*"
	}
	if c.LastUsedAt != nil {
		r.LastUsedSince = output.Ago(*c.LastUsedAt)
	}
	return r
}
