package build

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"berth/engine/filter"

	"github.com/containerd/errdefs"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/cmd/buildkitd/config"
	"github.com/moby/buildkit/util/disk"
	bkversion "github.com/moby/buildkit/version"
)

// version is that of the BuildKit inside.
func version() client.BuildkitVersion {
	return client.BuildkitVersion{Package: bkversion.Package, Version: bkversion.Version}
}

// gcPolicy is BuildKit's own default: what builds leave goes when it is old, or when
// it takes more than a share of the disk that root is on.
func gcPolicy(root string) []client.PruneInfo {
	stat, err := disk.GetDiskStat(root)
	if err != nil {
		return nil
	}
	var all []client.PruneInfo
	for _, rule := range config.DefaultGCPolicy(config.GCConfig{}, stat) {
		all = append(all, client.PruneInfo{
			Filter: rule.Filters, All: rule.All, KeepDuration: time.Duration(rule.KeepDuration.Duration),
			ReservedSpace: rule.ReservedSpace.AsBytes(stat), MaxUsedSpace: rule.MaxUsedSpace.AsBytes(stat), MinFreeSpace: rule.MinFreeSpace.AsBytes(stat),
		})
	}
	return all
}

// PruneOptions turns docker's filters into what to prune. Errors are of kind
// InvalidArgument.
func PruneOptions(f filter.Args) (client.PruneInfo, error) {
	var o client.PruneInfo
	if err := f.Validate("until", "unused-for", "id", "parent", "type", "description", "inuse", "shared", "private"); err != nil {
		return o, err
	}
	for _, key := range []string{"until", "unused-for"} {
		for _, value := range f.Values(key) {
			if o.KeepDuration != 0 {
				return o, fmt.Errorf("filter %q may be given once: %w", key, errdefs.ErrInvalidArgument)
			}
			d, err := time.ParseDuration(value)
			if err != nil {
				return o, fmt.Errorf("filter %q expects a duration, such as 24h: %w: %w", key, err, errdefs.ErrInvalidArgument)
			}
			o.KeepDuration = d
		}
	}
	for _, key := range []string{"id", "parent", "type", "description", "inuse", "shared", "private"} {
		switch values := f.Values(key); {
		case len(values) > 1:
			return o, fmt.Errorf("filter %q expects one value: %w", key, errdefs.ErrInvalidArgument)
		case len(values) == 1 && key == "id":
			o.Filter = append(o.Filter, key+"~="+strconv.Quote(values[0]))
		case len(values) == 1 && (key == "inuse" || key == "shared" || key == "private"):
			o.Filter = append(o.Filter, key)
		case len(values) == 1:
			o.Filter = append(o.Filter, key+"=="+strconv.Quote(values[0]))
		}
	}
	if len(o.Filter) > 1 {
		o.Filter = []string{strings.Join(o.Filter, ",")} // all of them
	}
	return o, nil
}

// Usage lists what the build cache holds.
func (b *Builder) Usage(ctx context.Context, filter []string) ([]*client.UsageInfo, error) {
	if err := b.forgetSent(ctx); err != nil {
		return nil, err
	}
	return b.usage(ctx, filter)
}

func (b *Builder) usage(ctx context.Context, filter []string) ([]*client.UsageInfo, error) {
	return b.worker.DiskUsage(ctx, client.DiskUsageInfo{Filter: filter})
}

// Prune removes from the build cache what o says and returns it.
func (b *Builder) Prune(ctx context.Context, o client.PruneInfo) ([]client.UsageInfo, error) {
	if err := b.forgetSent(ctx); err != nil {
		return nil, err
	}
	return b.prune(ctx, o)
}

func (b *Builder) prune(ctx context.Context, o client.PruneInfo) ([]client.UsageInfo, error) {
	found := make(chan client.UsageInfo)
	done := make(chan struct{})
	var gone []client.UsageInfo
	go func() {
		defer close(done)
		for u := range found {
			gone = append(gone, u)
		}
	}()
	err := b.worker.Prune(ctx, found, o)
	close(found)
	<-done
	return gone, err
}
