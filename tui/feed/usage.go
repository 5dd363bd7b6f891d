package feed

import (
	"fmt"

	tea "charm.land/bubbletea/v2"
	"github.com/moby/moby/client"

	"berth/tui/text"
)

// Usage says what the engine's things take of the disk. For names what it was
// asked for.
type Usage struct {
	For string
	client.DiskUsageResult
	Err error
}

// Sizes says how large the volumes are, by name.
type Sizes struct {
	Sizes map[string]int64
	Err   error
}

// Shared says how much of each image other images have too, by ID; what is not
// known is not in it. Total is what all images take together.
type Shared struct {
	Sizes map[string]int64
	Total int64
	Err   error
}

// FetchShared is the command that asks for that.
func (f *Feed) FetchShared() tea.Cmd {
	return func() tea.Msg {
		res, err := f.c.DiskUsage(f.ctx, client.DiskUsageOptions{Images: true, Verbose: true})
		if err != nil {
			return Shared{Err: fmt.Errorf("asking what images share: %w", err)}
		}
		s := Shared{Sizes: map[string]int64{}, Total: res.Images.TotalSize}
		for _, i := range res.Images.Items {
			if i.SharedSize >= 0 {
				s.Sizes[i.ID] = i.SharedSize
			}
		}
		return s
	}
}

// FetchUsage is the command that asks what everything takes. The engine walks
// files for it, so it is asked only when someone wants to know.
func (f *Feed) FetchUsage(why string) tea.Cmd {
	return func() tea.Msg {
		res, err := f.c.DiskUsage(f.ctx, client.DiskUsageOptions{Containers: true, Images: true, Volumes: true, BuildCache: true, Verbose: true})
		if err != nil {
			err = fmt.Errorf("asking what is used of the disk: %w", err)
		}
		return Usage{For: why, DiskUsageResult: res, Err: err}
	}
}

// FetchSizes is the command that asks how large the volumes are.
func (f *Feed) FetchSizes() tea.Cmd {
	return func() tea.Msg {
		res, err := f.c.DiskUsage(f.ctx, client.DiskUsageOptions{Volumes: true, Verbose: true})
		if err != nil {
			return Sizes{Err: fmt.Errorf("asking for the sizes of volumes: %w", err)}
		}
		s := Sizes{Sizes: map[string]int64{}}
		for _, v := range res.Volumes.Items {
			if v.UsageData != nil && v.UsageData.Size >= 0 {
				s.Sizes[text.Clean(v.Name)] = v.UsageData.Size
			}
		}
		return s
	}
}
