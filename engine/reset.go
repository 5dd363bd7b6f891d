package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"berth/engine/network"
	"berth/runtime/mount"
	"berth/shim"
	"berth/store/meta"
	"berth/store/remove"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

// Reset removes all that the engine with these directories has made on this
// machine: containers with their processes, cgroups, networks, volumes, images,
// records, and what is left in both directories. It opens no engine, so it also
// works where none opens any more. The error is of kind Unavailable while an
// engine runs, and FailedPrecondition where removing would reach files that are
// not berth's. What failed can be tried again: what names the rest goes last.
func Reset(ctx context.Context, cfg Config) error {
	if !filepath.IsAbs(cfg.Root) || !filepath.IsAbs(cfg.State) {
		return fmt.Errorf("reset: root %q and state %q must be absolute paths: %w", cfg.Root, cfg.State, errdefs.ErrInvalidArgument)
	}
	cfg.Root, cfg.State = filepath.Clean(cfg.Root), filepath.Clean(cfg.State)
	r := &reset{Engine: &Engine{cfg: cfg}}
	r.Containers = &Containers{e: r.Engine}
	for _, dir := range []string{cfg.Root, cfg.State} {
		is, err := isEngineDir(dir)
		if err != nil {
			return fmt.Errorf("reset: %w", err)
		}
		if is {
			r.dirs = append(r.dirs, dir)
		}
	}
	defer func() {
		for _, f := range r.locks {
			f.Close()
		}
	}()
	if err := r.lock(); err != nil {
		return err
	}
	if err := r.checkMounts(); err != nil {
		return err
	}
	for _, step := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"stop the containers", r.stopAll}, {"remove the cgroups", r.removeCgroups}, {"remove the networks", r.removeNetworks},
		{"unmount", r.unmount}, {"remove the files", r.removeFiles},
	} {
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("reset: %s: %w", step.what, err)
		}
	}
	return nil
}

// reset is an Engine of which hardly anything is there.
type reset struct {
	*Engine
	dirs []string // those of Root and State that exist
}

// lockName is the file by which an engine holds a directory.
const lockName = "lock"

// ownNames are what an engine has in its directories, some of which is there until a
// reset is through.
var ownNames = []string{"build", "containers", "content", "meta.db", "snapshots", "volumes", "berth.sock", "endpoints", "engine.log", "mnt", "runtime", "shim", "shm"}

// isEngineDir tells whether dir is there, and refuses one that no engine has used:
// everything in it is about to be removed. A lock alone proves nothing, for the
// directories of package managers have one of that name.
func isEngineDir(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(entries) == 0 {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	locked, own := false, len(entries) == 1
	for _, e := range entries {
		// The log of an engine that was started in the background may be all there is.
		locked = locked || (e.Name() == lockName || e.Name() == "engine.log") && e.Type().IsRegular()
		own = own || slices.Contains(ownNames, e.Name())
	}
	if !locked || !own {
		return false, fmt.Errorf("%s is no directory of an engine: %w", dir, errdefs.ErrFailedPrecondition)
	}
	return true, nil
}

func (r *reset) lock() error {
	for _, dir := range r.dirs {
		f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return fmt.Errorf("reset: %w", err)
		}
		r.locks = append(r.locks, f)
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			return fmt.Errorf("an engine works on %s: %w: %w", dir, err, errdefs.ErrUnavailable)
		}
	}
	return nil
}

// mountsBelow lists what is mounted below the directories, the latest first.
func (r *reset) mountsBelow() (points []string, err error) {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		if len(f) < 5 {
			continue
		}
		point := unescape.Replace(f[4])
		if slices.ContainsFunc(r.dirs, func(dir string) bool { return strings.HasPrefix(point, dir+"/") }) {
			points = append(points, point)
		}
	}
	slices.Reverse(points)
	return points, nil
}

// checkMounts refuses to go on where somebody else has mounted something: its files
// would be removed. The engine mounts below its private mount, and shared memory.
func (r *reset) checkMounts() error {
	points, err := r.mountsBelow()
	if err != nil {
		return fmt.Errorf("reset: %w", err)
	}
	for _, point := range points {
		if point != r.mountRoot() && !strings.HasPrefix(point, r.mountRoot()+"/") && filepath.Dir(point) != r.Containers.shmDir("") {
			return kind(errdefs.ErrFailedPrecondition, "reset: something is mounted at %s, whose files would be removed: unmount it first", point)
		}
	}
	return nil
}

// stopAll kills the shims with their containers, and what builds run.
func (r *reset) stopAll(ctx context.Context) error {
	var ids []string
	for _, dir := range []string{filepath.Join(r.cfg.State, "shim"), r.Containers.runtimeRoot()} {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		for _, e := range entries {
			if e.IsDir() && !slices.Contains(ids, e.Name()) {
				ids = append(ids, e.Name())
			}
		}
	}
	var errs []error
	for _, id := range ids {
		errs = append(errs, shim.Reap(ctx, r.Containers.shimDir(id), r.Containers.runtimeRoot(), id))
	}
	return errors.Join(errs...)
}

// removeCgroups removes the engine's own cgroups and what is below them; Reap has
// killed what was in them.
func (r *reset) removeCgroups(context.Context) error {
	var err error
	if r.cgroups, err = findCgroups(cgroupParent(r.cfg.State)); err != nil {
		return err
	}
	var errs []error
	for _, hierarchy := range r.cgroups.mounts {
		var dirs []string
		werr := filepath.WalkDir(filepath.Join(hierarchy, r.cgroups.parent), func(p string, d fs.DirEntry, err error) error {
			if errors.Is(err, os.ErrNotExist) {
				return nil
			}
			if err == nil && d.IsDir() {
				dirs = append(dirs, p)
			}
			return err
		})
		errs = append(errs, werr)
		for _, dir := range slices.Backward(dirs) { // children come after their parents
			if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// removeNetworks removes devices, rules and namespaces. The records say which; without
// a database that can be read, what follows from the state directory does.
func (r *reset) removeNetworks(ctx context.Context) error {
	var nets network.Records = noRecords{}
	path := filepath.Join(r.cfg.Root, "meta.db")
	if _, err := os.Stat(path); err == nil {
		db, err := meta.Open(path)
		if err == nil {
			defer db.Close()
			records, rerr := newNetworkRecords(db, "networks")
			if err = rerr; err == nil {
				nets = records
			}
		}
		if err != nil && r.cfg.Log != nil {
			r.cfg.Log.Warn("the records of networks cannot be read; their devices are known by their aliases", "err", err)
		}
	}
	m, err := network.Open(network.Config{State: r.cfg.State, Networks: nets, Endpoints: noRecords{}, Log: r.cfg.Log})
	if err != nil {
		return err
	}
	return errors.Join(m.Remove(ctx), m.Close(ctx))
}

// noRecords are records that nobody kept.
type noRecords struct{}

func (noRecords) Put(string, any) error                    { return nil }
func (noRecords) Delete(string) error                      { return nil }
func (noRecords) ForEach(func(string, []byte) error) error { return nil }

// unmount takes away the private mount and what a killed engine left below it.
func (r *reset) unmount(context.Context) error {
	points, err := r.mountsBelow()
	if err != nil {
		return err
	}
	for _, point := range points {
		if err := mount.Unmount(point, unix.MNT_DETACH); err != nil {
			return err
		}
	}
	return r.checkMounts()
}

// removeFiles empties the directories, their locks last, and removes them unless
// they are mounts themselves.
func (r *reset) removeFiles(ctx context.Context) error {
	for _, dir := range r.dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := ctx.Err(); err != nil {
				return err
			}
			if e.Name() == lockName {
				continue
			}
			if err := remove.All(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	for _, dir := range r.dirs {
		if err := os.Remove(filepath.Join(dir, lockName)); err != nil {
			return err
		}
		if err := os.Remove(dir); err != nil && !errors.Is(err, unix.EBUSY) {
			return err
		}
	}
	return nil
}
