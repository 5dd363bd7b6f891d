package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// soak runs many containers from their creation to their removal and holds what the engine and the machine have
// afterwards against what they had before.
func (b *bench) soak(ctx context.Context) (err error) {
	e, err := b.startBerth(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.stop()) }()
	archive := filepath.Join(b.dir, "starter.tar")
	if _, err := e.do(ctx, "image", "starter", "-o", archive); err != nil {
		return err
	}
	if _, err := e.do(ctx, "load", "-i", archive); err != nil {
		return err
	}
	// One stays, to tell where the cgroups are.
	if _, err := e.do(ctx, append([]string{"run", "-d", "--name", "stays", e.image}, sleeper...)...); err != nil {
		return err
	}
	// What is made once, and the size that caches and the heap come to.
	if err := e.live(ctx, max(b.lives/10, 50)); err != nil {
		return err
	}
	before, err := b.held(ctx, e)
	if err != nil {
		return err
	}
	if err := e.live(ctx, b.lives); err != nil {
		return err
	}
	after, err := b.held(ctx, e)
	if err != nil {
		return err
	}
	names := make([]string, 0, len(after))
	for name := range after {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		r := result{what: fmt.Sprintf("growth over %d lives, %s", b.lives, name), berth: after[name] - before[name], unit: "of " + strconv.FormatFloat(before[name], 'f', 0, 64)}
		r.goal, r.met = most(3, "") // a connection that is being closed, a thread that waits
		if name == memory {
			r.goal, r.met = most(5, "MB")
		}
		b.add(r)
	}
	return nil
}

// memory is the part of what is held that may differ a little: a heap is collected when it has grown.
const memory = "memory in MB"

// live runs n containers, four at a time: on a network with a port or without one, with an exec, with a volume.
func (e *engine) live(ctx context.Context, n int) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for i := range n {
		g.Go(func() error {
			name := fmt.Sprint("life", i)
			var steps [][]string
			switch i % 4 {
			case 0:
				steps = [][]string{{"run", "--rm", e.image, "true"}}
			case 1:
				steps = [][]string{{"run", "--rm", "--network", "none", "-v", "/data", e.image, "sh", "-c", "echo kept >/data/file; exit 0"}}
			case 2:
				steps = [][]string{{"run", "-d", "--name", name, "-p", "127.0.0.1::80", e.image, "sleep", "1000"}, {"exec", name, "true"}, {"rm", "-f", name}}
			case 3:
				steps = [][]string{{"create", "--name", name, e.image, "sh", "-c", "seq 100"}, {"start", "-a", name}, {"logs", name}, {"rm", "-v", name}}
			}
			for _, s := range steps {
				if _, err := e.do(ctx, s...); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// held counts what must not become more.
func (b *bench) held(ctx context.Context, e *engine) (map[string]float64, error) {
	time.Sleep(settling)
	held := map[string]float64{}
	said, err := e.do(ctx, "info", "--format", "{{.NGoroutines}}")
	if err != nil {
		return nil, err
	}
	if held["goroutines"], err = strconv.ParseFloat(said, 64); err != nil {
		return nil, fmt.Errorf("reading the number of goroutines: %w", err)
	}
	if held[memory], err = rollup(e.pid, "Private_"); err != nil {
		return nil, err
	}
	proc := fmt.Sprintf("/proc/%d/", e.pid)
	descriptors, err := os.ReadDir(proc + "fd")
	if err != nil {
		return nil, err
	}
	held["descriptors"] = float64(len(descriptors))
	tasks, err := os.ReadDir(proc + "task")
	if err != nil {
		return nil, err
	}
	held["threads"] = float64(len(tasks))
	mounts, err := os.ReadFile(proc + "mountinfo")
	if err != nil {
		return nil, err
	}
	held["mounts"] = float64(strings.Count(string(mounts), " "+b.dir+"/")) // and not those of others
	if held["network interfaces"], err = count("/sys/class/net/*"); err != nil {
		return nil, err
	}
	if held["cgroups"], err = e.cgroups(ctx); err != nil {
		return nil, err
	}
	parents, err := parents()
	if err != nil {
		return nil, err
	}
	for _, parent := range parents {
		if parent == e.pid {
			held["processes"]++
		}
	}
	files := 0.0
	for _, dir := range []string{"berth", "s"} {
		err := filepath.WalkDir(filepath.Join(b.dir, dir), func(_ string, _ os.DirEntry, err error) error {
			files++
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	held["files"] = files
	return held, nil
}

func count(pattern string) (float64, error) {
	found, err := filepath.Glob(pattern)
	return float64(len(found)), err
}

// cgroups counts those of the containers, which all lie beside that of the one that stays.
func (e *engine) cgroups(ctx context.Context) (float64, error) {
	pid, err := e.do(ctx, "inspect", "--format", "{{.State.Pid}}", "stays")
	if err != nil {
		return 0, err
	}
	b, err := os.ReadFile("/proc/" + pid + "/cgroup")
	if err != nil {
		return 0, err
	}
	all := 0.0
	for line := range strings.Lines(string(b)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3) // number, controllers, path (cgroups(7))
		if len(f) != 3 || path.Dir(f[2]) == "/" {
			continue
		}
		for _, pattern := range []string{"/sys/fs/cgroup" + path.Dir(f[2]) + "/*/cgroup.procs", "/sys/fs/cgroup/" + strings.TrimPrefix(f[1], "name=") + path.Dir(f[2]) + "/*/cgroup.procs"} {
			n, err := count(pattern)
			if err != nil {
				return 0, err
			}
			all += n
		}
	}
	return all, nil
}
