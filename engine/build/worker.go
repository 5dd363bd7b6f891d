package build

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"runtime"

	"berth/store/snapshot"

	"github.com/containerd/containerd/v2/core/diff/apply"
	"github.com/containerd/containerd/v2/pkg/gc"
	"github.com/containerd/containerd/v2/plugins/diff/walking"
	"github.com/containerd/platforms"
	"github.com/moby/buildkit/cache/metadata"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/exporter"
	"github.com/moby/buildkit/session"
	bksnapshot "github.com/moby/buildkit/snapshot"
	containerdsnapshot "github.com/moby/buildkit/snapshot/containerd"
	"github.com/moby/buildkit/solver"
	"github.com/moby/buildkit/solver/pb"
	httpsource "github.com/moby/buildkit/source/http"
	"github.com/moby/buildkit/util/leaseutil"
	"github.com/moby/buildkit/worker/base"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/semaphore"
)

// namespace is BuildKit's in containerd's stores. Berth's have none.
const namespace = "buildkit"

// workerID is the name of the only worker.
const workerID = "berth"

// buildWorker is BuildKit's worker on berth's store and containers.
type buildWorker struct {
	*base.Worker
	images *images
	source *imageSource
	tagged func(ctx context.Context, id, name string)
}

// newWorker opens what BuildKit knows of the snapshots.
func newWorker(ctx context.Context, opts Options, sessions *session.Manager, downloads http.RoundTripper) (_ *buildWorker, err error) {
	known, err := metadata.NewStore(filepath.Join(opts.Root, "metadata.db"))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			known.Close()
		}
	}()
	st := opts.Store
	leases := snapshotLeases{st.Leases}
	blobs := leasedContent{st.Content, leases}
	snaps := &buildSnapshots{Snapshotter: st.Snapshots, images: st.Images, parents: make(map[string]string)}
	// The name tells BuildKit how the layers are stacked.
	driver := "native"
	if d, _ := st.Snapshots.Driver(); d == snapshot.OverlayDriver {
		driver = "overlayfs"
	}
	imgs := &images{store: st, blobs: blobs}
	w, err := base.NewWorker(ctx, base.WorkerOpt{
		ID:              workerID,
		Root:            opts.Root,
		Labels:          map[string]string{},
		Platforms:       []ocispec.Platform{platforms.Normalize(platforms.DefaultSpec())},
		GCPolicy:        gcPolicy(opts.Root),
		BuildkitVersion: version(),
		Executor:        newExecutor(opts.Steps, opts.Log),
		Snapshotter:     bksnapshot.FromContainerdSnapshotter(driver, snaps, nil),
		ContentStore:    containerdsnapshot.NewContentStore(blobs, namespace),
		Applier:         layers{snaps, apply.NewFileSystemApplier(blobs)},
		Differ:          differ{blobs, walking.NewWalkingDiff(blobs)},
		ImageStore:      imgs,
		RegistryHosts:   opts.Hosts,
		LeaseManager:    leaseutil.WithNamespace(leases, namespace),
		GarbageCollect: func(ctx context.Context) (gc.Stats, error) {
			_, err := st.Images.Collect(ctx)
			return nil, err
		},
		ParallelismSem: semaphore.NewWeighted(int64(max(4, runtime.NumCPU()))),
		MetadataStore:  known,
		MountPoolRoot:  filepath.Join(opts.Mounts, "shared"),
	})
	if err != nil {
		return nil, err
	}
	bw := &buildWorker{Worker: w, images: imgs, tagged: opts.Tagged, source: &imageSource{w.ImageSource, imgs}}
	w.SourceManager.Register(bw.source)
	web, err := httpsource.NewSource(httpsource.Opt{CacheAccessor: w.CacheMgr, Transport: downloads})
	if err != nil {
		return nil, err
	}
	w.HTTPSource = web
	w.SourceManager.Register(web)
	return bw, nil
}

// ResolveSourceMetadata tells about an image before it is used: a local one first.
func (w *buildWorker) ResolveSourceMetadata(ctx context.Context, op *pb.SourceOp, opt sourceresolver.Opt, sm *session.Manager, job solver.JobContext) (*sourceresolver.MetaResponse, error) {
	if err := w.source.preferLocal(ctx, op, &opt); err != nil {
		return nil, err
	}
	return w.Worker.ResolveSourceMetadata(ctx, op, opt, sm, job)
}

// Exporter returns what takes the result of a build.
func (w *buildWorker) Exporter(name string, sm *session.Manager) (exporter.Exporter, error) {
	switch name {
	case client.ExporterImage, exporterMoby:
		e, err := w.Worker.Exporter(client.ExporterImage, sm)
		if err != nil {
			return nil, err
		}
		return &imageExporter{inner: e, worker: w}, nil
	}
	e, err := w.Worker.Exporter(name, sm)
	if err != nil {
		return nil, fmt.Errorf("output of type %q: %w", name, err)
	}
	return e, nil
}
