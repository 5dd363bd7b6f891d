package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"berth/engine/build"
	"berth/engine/network"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	buildkit "github.com/moby/buildkit/client"
	apibuild "github.com/moby/moby/api/types/build"
	apievents "github.com/moby/moby/api/types/events"
)

// Builds make images of Dockerfiles. The builder behind them, with its cache, is
// opened by the first that needs it: most engines never build.
type Builds struct {
	e *Engine

	mu      sync.Mutex
	builder *build.Builder
	closed  bool
}

// open returns the builder.
func (bs *Builds) open(ctx context.Context) (*build.Builder, error) {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	if bs.builder != nil {
		return bs.builder, nil
	}
	if bs.closed {
		return nil, fmt.Errorf("build: the engine is stopping: %w", errdefs.ErrUnavailable)
	}
	e := bs.e
	b, err := build.Open(ctx, build.Options{
		Root: bs.root(), Mounts: e.BuildTemp(), Store: e.store, Log: e.log,
		Hosts: e.Images.hosts, Tagged: bs.built, Gateway: bs.gateway,
		Steps: build.StepOptions{
			Self: e.self, Shims: filepath.Join(e.cfg.State, "shim"), Runtime: e.Containers.runtimeRoot(),
			Files: filepath.Join(e.cfg.Root, "containers"), Mounts: e.mountRoot(),
			CgroupParent: e.cgroups.parent, CgroupV2: e.cgroups.unified, Network: e.network, Names: stepNames{e.Containers},
		},
	})
	if err != nil {
		return nil, err
	}
	bs.builder = b
	return b, nil
}

// root is where BuildKit's databases are.
func (bs *Builds) root() string { return filepath.Join(bs.e.cfg.Root, "build") }

// BuildTemp is where builds mount what they work on, below the engine's private
// mount. The process's directory for temporary files is to be this one (TMPDIR):
// BuildKit mounts there, and what a killed engine leaves there the next takes away.
func (e *Engine) BuildTemp() string { return filepath.Join(e.mountRoot(), "build") }

// gateway is the host's address on the default network; "" if there is none.
func (bs *Builds) gateway() string {
	n, _, err := bs.e.network.Inspect(network.Bridge)
	if err != nil {
		return ""
	}
	if !n.V4.Gateway.IsValid() {
		return ""
	}
	return n.V4.Gateway.String()
}

// built publishes that an image was made, or got a name.
func (bs *Builds) built(ctx context.Context, id, name string) {
	img, err := bs.e.store.Images.Resolve(ctx, id)
	if err != nil {
		return // removed at once by somebody else
	}
	if name == "" {
		bs.e.Images.emit(apievents.ActionCreate, img, id)
		return
	}
	if named, err := reference.ParseNormalizedNamed(name); err == nil {
		name = reference.FamiliarString(named)
	}
	bs.e.Images.emit(apievents.ActionTag, img, name)
}

// Build builds an image of a context, a tar; see build.Request.
func (bs *Builds) Build(ctx context.Context, r build.Request, body io.Reader, report build.Report) error {
	b, err := bs.open(ctx)
	if err != nil {
		return err
	}
	return b.Build(ctx, r, body, report)
}

// Cancel ends the build with an ID; that there is none is no error.
func (bs *Builds) Cancel(id string) {
	if b := bs.opened(); b != nil {
		b.Cancel(id)
	}
}

// opened is the builder if something was built since the start.
func (bs *Builds) opened() *build.Builder {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	return bs.builder
}

// Serve answers BuildKit's own API on a connection, which it takes over.
func (bs *Builds) Serve(ctx context.Context, conn net.Conn) error {
	b, err := bs.open(ctx)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	b.Serve(conn)
	return nil
}

// Session lets builds use what the client at the other end of conn offers: files,
// credentials, secrets. Header says what. It returns when the session ends.
func (bs *Builds) Session(ctx context.Context, conn net.Conn, header map[string][]string) error {
	b, err := bs.open(ctx)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	return b.Sessions().HandleConn(ctx, conn, header)
}

// Active tells whether something is being built.
func (bs *Builds) Active() bool {
	b := bs.opened()
	return b != nil && b.Active()
}

// Usage lists what the build cache holds.
func (bs *Builds) Usage(ctx context.Context) (used apibuild.DiskUsage, err error) {
	b, err := bs.cache(ctx)
	if b == nil || err != nil {
		return used, err
	}
	all, err := b.Usage(ctx, nil)
	if err != nil {
		return used, fmt.Errorf("list the build cache: %w", err)
	}
	for _, u := range all {
		used.Items = append(used.Items, cacheRecord(u))
		used.TotalCount++
		if u.InUse {
			used.ActiveCount++
		}
		if u.Shared {
			continue // an image has it
		}
		used.TotalSize += u.Size
		if !u.InUse {
			used.Reclaimable += u.Size
		}
	}
	return used, nil
}

// cache is the builder, nil if nothing was ever built here.
func (bs *Builds) cache(ctx context.Context) (*build.Builder, error) {
	if _, err := os.Stat(bs.root()); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return bs.open(ctx)
}

func cacheRecord(u *buildkit.UsageInfo) apibuild.CacheRecord {
	return apibuild.CacheRecord{
		ID: u.ID, Parents: u.Parents, Type: string(u.RecordType), Description: u.Description,
		InUse: u.InUse, Shared: u.Shared, Size: u.Size, CreatedAt: u.CreatedAt, LastUsedAt: u.LastUsedAt, UsageCount: u.UsageCount,
	}
}

// Prune removes what o says from the build cache.
func (bs *Builds) Prune(ctx context.Context, o buildkit.PruneInfo) (apibuild.CachePruneReport, error) {
	report := apibuild.CachePruneReport{CachesDeleted: []string{}}
	b, err := bs.cache(ctx)
	if b != nil {
		var gone []buildkit.UsageInfo
		if gone, err = b.Prune(ctx, o); err != nil {
			err = fmt.Errorf("prune the build cache: %w", err)
		}
		for _, u := range gone {
			report.CachesDeleted = append(report.CachesDeleted, u.ID)
			report.SpaceReclaimed += uint64(u.Size)
		}
	}
	if err != nil {
		return report, err
	}
	slices.Sort(report.CachesDeleted)
	bs.e.Events.Publish(apievents.BuilderEventType, apievents.ActionPrune, "", map[string]string{"reclaimed": fmt.Sprint(report.SpaceReclaimed)})
	return report, nil
}

// close ends all builds.
func (bs *Builds) close() error {
	bs.mu.Lock()
	defer bs.mu.Unlock()
	bs.closed = true
	var err error
	if bs.builder != nil {
		err = bs.builder.Close()
		bs.builder = nil
	}
	return errors.Join(err, build.Sweep(bs.e.BuildTemp()))
}
