package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"berth/engine/build"
	"berth/engine/events"
	"berth/engine/network"
	"berth/engine/registry"
	"berth/shim"
	"berth/store"
	"berth/store/meta"
	"berth/store/snapshot"

	"github.com/containerd/errdefs"
	"github.com/moby/locker"
	"github.com/moby/moby/api/types/volume"
	"golang.org/x/sync/errgroup"
)

// Config says where an engine lives. Two engines with different directories
// never touch each other: the cgroup parent and all names on the network follow from State.
type Config struct {
	Root  string // what lasts: images, layers, containers, volumes
	State string // what a reboot may take: sockets, mount points
	Log   *slog.Logger
	// Executable is the berth binary that shims are started from; "" is the running one.
	Executable string
	// StorageDriver is how images get into containers: "overlay2", "vfs" (copied), or "" for overlay2 where it works.
	StorageDriver string
	// Registry says how registries are reached.
	Registry registry.Config
	// Networks are what the default network is like and where subnets are chosen from.
	Networks network.Defaults
	// Settings are those at first; Reload changes them.
	Settings Settings
}

// Engine is one container engine. It is safe for concurrent use.
type Engine struct {
	Containers *Containers
	Images     *Images
	Trees      *Trees
	Networks   *Networks
	Volumes    *Volumes
	Builds     *Builds
	Events     *events.Bus

	cfg           Config
	log           *slog.Logger
	locks         []*os.File // flock on Root and State
	store         *store.Store
	snapshots     snapshot.Snapshotter
	network       *network.Manager
	records       meta.Bucket[record]
	volumeRecords meta.Bucket[volume.Volume]
	self          shim.Executable
	cgroups       cgroupfs
	capacity      capacity
	current       atomic.Pointer[Settings]

	ctx  context.Context // ends with the engine
	stop context.CancelFunc
	work sync.WaitGroup // goroutines that follow containers
}

// Open starts an engine on its directories: it adopts the containers that run,
// records how the others ended, finishes removals that were under way and
// begins the restarts that policies ask for. The error is of kind Unavailable
// while another engine has Root.
func Open(ctx context.Context, cfg Config) (_ *Engine, err error) {
	if !filepath.IsAbs(cfg.Root) || !filepath.IsAbs(cfg.State) {
		return nil, fmt.Errorf("open engine: root %q and state %q must be absolute paths: %w", cfg.Root, cfg.State, errdefs.ErrInvalidArgument)
	}
	if strings.Contains(cfg.Root, ":") {
		// overlayfs separates layers with it.
		return nil, fmt.Errorf("open engine: root %q must not have a colon in its path: %w", cfg.Root, errdefs.ErrInvalidArgument)
	}
	cfg.Root, cfg.State = filepath.Clean(cfg.Root), filepath.Clean(cfg.State)
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if err := cfg.Settings.Check(); err != nil {
		return nil, fmt.Errorf("open engine: %w", err)
	}
	e := &Engine{cfg: cfg, log: cfg.Log, Events: events.NewBus(), capacity: findCapacity(cgroupRoot)}
	e.current.Store(&cfg.Settings)
	// ctx bounds the opening; what follows containers lives until Close.
	e.ctx, e.stop = context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		if err != nil {
			err = errors.Join(err, e.close())
		}
	}()
	if err := makeDirs(cfg); err != nil {
		return nil, fmt.Errorf("open engine: %w", err)
	}
	// Before anything is looked at: what follows assumes that nobody else changes it.
	if err := e.takeLocks(); err != nil {
		return nil, err
	}
	if err := e.openParts(ctx); err != nil {
		return nil, err
	}
	e.Volumes = &Volumes{e: e, mounting: locker.New()}
	e.Containers = &Containers{e: e, byID: make(map[string]*ctr), names: make(map[string]string), execs: make(map[string]*execution), linked: make(map[string]map[string]struct{})}
	e.Images = NewImages(e.store, e.Events, e.Containers.imageUsers)
	e.Trees = newTrees(e.Images, e.Containers, cfg.Root)
	remote, err := registry.NewRemote(cfg.Registry)
	if err != nil {
		return nil, fmt.Errorf("open engine: %w", err)
	}
	e.Images.registry.Store(registry.New(remote, e.store))
	e.Networks = &Networks{manager: e.network, name: e.Containers.nameOf, used: e.Containers.useNetwork, events: e.Events}
	// What builds of a killed engine left mounted keeps layers busy.
	if err := build.Sweep(e.BuildTemp()); err != nil {
		return nil, fmt.Errorf("open engine: %w", err)
	}
	e.Builds = &Builds{e: e}
	if err := e.Volumes.load(); err != nil {
		return nil, fmt.Errorf("read volumes: %w", err)
	}
	if err := e.Containers.adopt(ctx); err != nil {
		return nil, err
	}
	return e, nil
}

// makeDirs makes the engine's directories. Others may pass through State, where
// the socket is, and not look around. What is below Root is root's alone: a
// set-user-ID program that a container leaves in a volume must not be within
// reach of the host's users (CVE-2021-41091).
func makeDirs(cfg Config) error {
	if err := os.MkdirAll(cfg.State, 0o711); err != nil {
		return err
	}
	for _, name := range []string{"containers", "volumes"} {
		dir := filepath.Join(cfg.Root, name)
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.Chmod(dir, 0o700)); err != nil {
			return err
		}
	}
	return nil
}

// openParts opens what does not depend on each other at the same time.
func (e *Engine) openParts(ctx context.Context) error {
	var g errgroup.Group
	g.Go(func() (err error) {
		if e.store, err = store.Open(ctx, e.cfg.Root, store.Options{Log: e.log, Driver: e.cfg.StorageDriver}); err != nil {
			return err
		}
		e.snapshots = e.store.Snapshots
		if e.records, err = meta.NewBucket[record](e.store.Meta, "containers"); err != nil {
			return err
		}
		if e.volumeRecords, err = meta.NewBucket[volume.Volume](e.store.Meta, "volumes"); err != nil {
			return err
		}
		return e.openNetwork()
	})
	g.Go(func() (err error) {
		if err = shim.PrivateMount(e.mountRoot()); err != nil {
			return err
		}
		if e.self, err = shim.NewExecutable(e.cfg.Executable); err != nil {
			return fmt.Errorf("open berth's own executable: %w", err)
		}
		return nil
	})
	g.Go(func() (err error) {
		e.cgroups, err = findCgroups(cgroupParent(e.cfg.State))
		return err
	})
	if err := g.Wait(); err != nil {
		return fmt.Errorf("open engine: %w", err)
	}
	return ctx.Err()
}

// openNetwork gives the network manager its records.
func (e *Engine) openNetwork() error {
	nets, err := newNetworkRecords(e.store.Meta, "networks")
	if err != nil {
		return err
	}
	ends, err := newStateRecords(filepath.Join(e.cfg.State, "endpoints"))
	if err != nil {
		return err
	}
	e.network, err = network.Open(network.Config{State: e.cfg.State, Networks: nets, Endpoints: ends, Log: e.log, Called: e.called, Defaults: e.cfg.Networks})
	return err
}

// mountRoot is the private mount below which shims mount root filesystems.
func (e *Engine) mountRoot() string { return filepath.Join(e.cfg.State, "mnt") }

// Close ends the engine and leaves its containers running. It returns when
// nothing of the engine works any more.
func (e *Engine) Close(ctx context.Context) error {
	e.stop()
	done := make(chan struct{})
	go func() {
		e.work.Wait()
		close(done)
	}()
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = fmt.Errorf("close engine: %w", ctx.Err())
	}
	return errors.Join(err, e.close())
}

// close releases what Open got, as far as it got.
func (e *Engine) close() error {
	e.stop()
	e.Events.Close()
	var err error
	if e.Containers != nil {
		e.Containers.dropAttaches()
	}
	if e.Builds != nil {
		err = errors.Join(err, e.Builds.close())
	}
	if len(e.locks) == 2 && e.network != nil {
		err = errors.Join(err, e.network.Close(context.Background()))
	}
	if e.store != nil {
		err = errors.Join(err, e.store.Close())
	}
	if len(e.locks) == 2 {
		err = errors.Join(err, e.self.Close())
		// Only who holds both may take the mount away: another engine would be using it.
		err = errors.Join(err, shim.RemovePrivateMount(e.mountRoot()))
		e.cgroups.removeParent()
	}
	for _, f := range e.locks {
		err = errors.Join(err, f.Close())
	}
	e.locks = nil
	return err
}
