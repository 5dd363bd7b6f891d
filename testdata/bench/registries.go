package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"berth/engine/registry/registrytest"
)

// How often images are pulled and pushed: each takes seconds.
const (
	loadRounds = 3
	pullRounds = 3
	pushRounds = 1
)

// registries measures pull, push, load and save of one large image beside docker,
// with Debian's docker-registry on loopback. Both engines pull the very same
// bytes, those that docker pushed.
func (b *bench) registries(ctx context.Context) (err error) {
	archive, serr := os.Stat(b.image)
	if b.image == "" || serr != nil {
		fmt.Fprintln(os.Stderr, "registries are left out: there is no image (-image) to pull and push")
		return nil
	}
	data := filepath.Join(b.dir, "registry")
	if err := os.Mkdir(data, 0o700); err != nil {
		return err
	}
	server, err := registrytest.Start(registrytest.Options{Dir: data})
	if err != nil {
		fmt.Fprintln(os.Stderr, "registries are left out:", err)
		return nil
	}
	defer server.Stop()
	addr := server.Addr
	ours, err := b.startBerth(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ours.stop()) }()
	docker, err := b.startDocker(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "registries are left out: dockerd:", err)
		return nil
	}
	defer func() { err = errors.Join(err, docker.stop()) }()
	all := []*engine{ours, docker}

	load, save, push, err := b.loadAndPush(ctx, all, addr)
	if err != nil {
		return err
	}
	pull, present := map[*engine][]time.Duration{}, map[*engine][]time.Duration{}
	name := addr + "/docker:1"
	for range pullRounds {
		for _, e := range all {
			// It may be here under the name it was loaded by.
			if _, err := e.do(ctx, "image", "prune", "-af"); err != nil {
				return err
			}
			if err := e.time(ctx, pull, "pull", "-q", name); err != nil {
				return err
			}
		}
	}
	for range b.runs {
		for _, e := range all {
			if err := e.time(ctx, present, "pull", "-q", name); err != nil {
				return err
			}
		}
	}
	for _, m := range []struct {
		what string
		goal float64
		took map[*engine][]time.Duration
	}{{fmt.Sprintf("load, %d MB in 4 layers", archive.Size()/1e6), 0.5, load}, {"save of it", 0.5, save}, {"push of it, first time", 0.5, push}, {"pull and unpack it", 0.3, pull}, {"pull of what is here", 1, present}} {
		r := result{what: m.what, berth: median(m.took[ours]), peers: map[string]float64{"docker": median(m.took[docker])}}
		r.goal, r.met = ratio("docker", m.goal)
		b.add(r)
	}
	return nil
}

// loadAndPush loads the image into each engine, saves it again, and pushes it
// from there.
func (b *bench) loadAndPush(ctx context.Context, all []*engine, addr string) (load, save, push map[*engine][]time.Duration, err error) {
	load, save, push = map[*engine][]time.Duration{}, map[*engine][]time.Duration{}, map[*engine][]time.Duration{}
	// Who comes first is not to be the one who reads the archive from the disk.
	if err := readThrough(b.image); err != nil {
		return nil, nil, nil, err
	}
	for range loadRounds - 1 {
		for _, e := range all {
			if err := e.time(ctx, load, "load", "-q", "-i", b.image); err != nil {
				return nil, nil, nil, err
			}
			if _, err := e.do(ctx, "image", "prune", "-af"); err != nil {
				return nil, nil, nil, err
			}
		}
	}
	for round := range pushRounds {
		for _, e := range all {
			// In a repository of its own, and one that knows of no layer.
			name := fmt.Sprintf("%s/%s:%d", addr, e.name, round+1)
			if err := e.time(ctx, load, "load", "-q", "-i", b.image); err != nil {
				return nil, nil, nil, err
			}
			if err := e.time(ctx, save, "save", "-o", filepath.Join(b.dir, "saved.tar"), benchImage); err != nil {
				return nil, nil, nil, err
			}
			if _, err := e.do(ctx, "tag", benchImage, name); err != nil {
				return nil, nil, nil, err
			}
			if round > 0 {
				if err := b.emptyRegistry(); err != nil {
					return nil, nil, nil, err
				}
			}
			if err := e.time(ctx, push, "push", name); err != nil {
				return nil, nil, nil, err
			}
			if round == pushRounds-1 {
				// What all pull.
				if _, err := e.do(ctx, "tag", benchImage, addr+"/"+e.name+":1"); err != nil {
					return nil, nil, nil, err
				}
				if _, err := e.do(ctx, "push", addr+"/"+e.name+":1"); err != nil {
					return nil, nil, nil, err
				}
			}
			if _, err := e.do(ctx, "image", "prune", "-af"); err != nil {
				return nil, nil, nil, err
			}
		}
	}
	return load, save, push, nil
}

// readThrough brings a file into the page cache.
func readThrough(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(io.Discard, f)
	return err
}

// benchImage is the name in the archive.
const benchImage = "bench/image:latest"

// time runs a verb and keeps how long it took.
func (e *engine) time(ctx context.Context, took map[*engine][]time.Duration, verb ...string) error {
	start := time.Now()
	_, err := e.do(ctx, verb...)
	took[e] = append(took[e], time.Since(start))
	return err
}

// emptyRegistry takes all away that was pushed.
func (b *bench) emptyRegistry() error {
	return os.RemoveAll(filepath.Join(b.dir, "registry", "data", "docker"))
}
