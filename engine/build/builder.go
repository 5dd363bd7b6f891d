package build

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"berth/shim"
	"berth/store"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/moby/buildkit/cache/remotecache"
	"github.com/moby/buildkit/cache/remotecache/inline"
	"github.com/moby/buildkit/cache/remotecache/local"
	"github.com/moby/buildkit/cache/remotecache/registry"
	"github.com/moby/buildkit/control"
	"github.com/moby/buildkit/frontend"
	dockerfile "github.com/moby/buildkit/frontend/dockerfile/builder"
	"github.com/moby/buildkit/frontend/gateway"
	"github.com/moby/buildkit/frontend/gateway/forwarder"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/solver"
	"github.com/moby/buildkit/solver/bboltcachestorage"
	"github.com/moby/buildkit/util/db"
	"github.com/moby/buildkit/util/db/boltutil"
	"github.com/moby/buildkit/util/entitlements"
	"github.com/moby/buildkit/worker"
	"github.com/sirupsen/logrus"
	"google.golang.org/grpc"
)

// Options are what a Builder works with; all are required.
type Options struct {
	Root   string // what lasts: BuildKit's databases
	Mounts string // a directory of a private mount, for the mounts of builds
	Store  *store.Store
	Log    *slog.Logger
	// Hosts tells how a registry is reached; credentials come from the session.
	Hosts docker.RegistryHosts
	// Tagged is called for every image that was built, with "", and then for each of
	// its names.
	Tagged func(ctx context.Context, id, name string)
	// Gateway is the address of the host on the default network.
	Gateway func() string
	Steps   StepOptions
}

// StepOptions say where the containers of steps live.
type StepOptions struct {
	Self         shim.Executable
	Shims        string // directory of the shims' own directories
	Runtime      string // the runtime's state
	Files        string // a directory for each container's files
	Mounts       string // where shims mount root file systems
	CgroupParent string
	CgroupV2     bool
	Network      Network
	Names        Names

	places *places
}

// Builder builds images. Make one with Open; it is safe for concurrent use.
type Builder struct {
	opts       Options
	sessions   *session.Manager
	worker     *buildWorker
	controller *control.Controller
	server     *grpc.Server
	conns      *listener
	served     sync.WaitGroup
	stop       context.CancelFunc

	bodies  bodies       // contexts that requests have sent
	solving atomic.Int64 // solves under way

	mu     sync.Mutex
	builds map[string]context.CancelFunc // of classic requests, by ID
	sent   []span                        // when what was sent is to be forgotten
}

// Open opens or creates the build cache.
func Open(ctx context.Context, opts Options) (_ *Builder, err error) {
	opts.Steps.places = &places{}
	b := &Builder{opts: opts, conns: newListener(), builds: make(map[string]context.CancelFunc)}
	ctx, b.stop = context.WithCancel(context.WithoutCancel(ctx))
	var undo []func() error
	defer func() {
		if err == nil {
			return
		}
		err = fmt.Errorf("open builder in %s: %w", opts.Root, err)
		b.stop()
		for i := len(undo) - 1; i >= 0; i-- {
			err = errors.Join(err, undo[i]())
		}
	}()
	// Contexts are those of requests that a killed engine was serving.
	if err := errors.Join(os.MkdirAll(opts.Root, 0o700), os.MkdirAll(opts.Mounts, 0o700),
		os.RemoveAll(b.contexts()), os.Mkdir(b.contexts(), 0o700)); err != nil {
		return nil, err
	}
	logTo(opts.Log)
	if b.sessions, err = session.NewManager(); err != nil {
		return nil, err
	}
	if b.worker, err = newWorker(ctx, opts, b.sessions, &b.bodies); err != nil {
		return nil, err
	}
	undo = append(undo, b.worker.Close)
	workers := &worker.Controller{}
	if err := workers.Add(b.worker); err != nil {
		return nil, err
	}
	results, err := bboltcachestorage.NewStore(filepath.Join(opts.Root, "cache.db"))
	if err != nil {
		return nil, err
	}
	undo = append(undo, results.Close)
	history, err := boltutil.Open(filepath.Join(opts.Root, "history.db"), 0o600, nil)
	if err != nil {
		return nil, err
	}
	undo = append(undo, history.Close)
	if b.controller, err = b.control(ctx, workers, results, history); err != nil {
		return nil, err
	}
	b.serve()
	return b, nil
}

// control makes BuildKit's own server.
func (b *Builder) control(ctx context.Context, workers *worker.Controller, results *bboltcachestorage.Store, history db.DB) (*control.Controller, error) {
	images, err := gateway.NewGatewayFrontend(workers.Infos(), nil)
	if err != nil {
		return nil, err
	}
	blobs, hosts := b.worker.ContentStore(), b.opts.Hosts
	return control.NewController(control.Opt{
		SessionManager:   b.sessions,
		WorkerController: workers,
		Frontends: map[string]frontend.Frontend{
			"dockerfile.v0": forwarder.NewGatewayForwarder(workers.Infos(), dockerfile.Build),
			"gateway.v0":    images,
		},
		CacheManager: solver.NewCacheManager(ctx, "local", results, worker.NewCacheResultStorage(workers)),
		ResolveCacheExporterFuncs: map[string]remotecache.ResolveCacheExporterFunc{
			"registry": registry.ResolveCacheExporterFunc(b.sessions, hosts),
			"local":    local.ResolveCacheExporterFunc(b.sessions),
			"inline":   inline.ResolveCacheExporterFunc(),
		},
		ResolveCacheImporterFuncs: map[string]remotecache.ResolveCacheImporterFunc{
			"registry": registry.ResolveCacheImporterFunc(b.sessions, blobs, hosts),
			"local":    local.ResolveCacheImporterFunc(b.sessions),
		},
		// What docker allows; a step without confinement is refused.
		Entitlements:   []string{entitlements.EntitlementNetworkHost.String()},
		HistoryDB:      history,
		CacheStore:     results,
		LeaseManager:   b.worker.LeaseManager(),
		ContentStore:   blobs,
		GarbageCollect: b.worker.GarbageCollect,
		GracefulStop:   ctx.Done(),
	})
}

// logTo has BuildKit, which logs through logrus's only logger, write for who looks for
// bugs: what a user can mend is in the errors.
func logTo(log *slog.Logger) {
	logrus.SetOutput(slog.NewLogLogger(log.Handler(), slog.LevelDebug).Writer())
	logrus.SetFormatter(&logrus.TextFormatter{DisableTimestamp: true, DisableColors: true})
}

// Serve answers BuildKit's API (moby.buildkit.v1.Control and its neighbours) on
// conn, which it takes over.
func (b *Builder) Serve(conn net.Conn) { b.conns.add(conn) }

// Sessions are the clients' connections that builds get files and secrets from.
func (b *Builder) Sessions() *session.Manager { return b.sessions }

// Active tells whether something is being built.
func (b *Builder) Active() bool { return b.solving.Load() > 0 }

// Close ends all builds and closes the databases.
func (b *Builder) Close() error {
	b.stop()
	b.server.Stop()
	b.conns.Close()
	b.served.Wait()
	return b.controller.Close()
}
