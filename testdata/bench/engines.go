package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// engine is one that is measured: how its verbs are called, and its server.
type engine struct {
	name  string
	cmd   []string // the words before a verb
	image string   // what it calls the loaded busybox
	pid   int      // of the server
	stop  func() error
}

// do runs a verb and returns what it prints.
func (e *engine) do(ctx context.Context, verb ...string) (string, error) {
	argv := append(append([]string{}, e.cmd...), verb...)
	var stderr strings.Builder
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		return "", fmt.Errorf("running %s: %w: %s", strings.Join(argv, " "), err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(string(out)), nil
}

// engines measures the everyday verbs, then what only berth has.
func (b *bench) engines(ctx context.Context) (err error) {
	all, archive, err := b.startEngines(ctx)
	defer func() { err = errors.Join(err, stopAll(all)) }()
	if err != nil {
		return err
	}
	ours := all[0]
	if _, err := exec.LookPath("podman"); err == nil {
		e := &engine{name: "podman", image: "localhost/busybox:latest", cmd: []string{
			"podman", "--root", filepath.Join(b.dir, "podman"), "--runroot", filepath.Join(b.dir, "podman-run"), "--tmpdir", filepath.Join(b.dir, "podman-tmp"), "--cgroup-manager", "cgroupfs", "--runtime", podmanRuntime(),
		}}
		e.stop = func() error { return e.clear(context.WithoutCancel(ctx)) }
		all = append(all, e)
		if _, err := e.do(ctx, "load", "-i", archive); err != nil {
			return err
		}
	}
	for _, m := range []struct {
		what  string
		goal  float64
		setup []string
		argv  []string
	}{
		{"run --rm true, bridge", 0.10, nil, []string{"run", "--rm", "IMAGE", "true"}},
		{"run --rm true, no network", 0.10, nil, []string{"run", "--rm", "--network", "none", "IMAGE", "true"}},
		{"exec true", 0.15, []string{"run", "-d", "--network", "none", "--name", "idle", "IMAGE", "sleep", "100000"}, []string{"exec", "idle", "true"}},
		{"ps, one container", 0.6, nil, []string{"ps"}},
	} {
		r := result{what: m.what, peers: map[string]float64{}}
		r.goal, r.met = ratio("docker", m.goal)
		took, err := b.measure(ctx, all, m.setup, m.argv)
		if err != nil {
			return err
		}
		for e, d := range took {
			if e == ours {
				r.berth = median(d)
			} else {
				r.peers[e.name] = median(d)
			}
		}
		b.add(r)
	}
	return b.shimMemory(ctx, all)
}

// podmanRuntime is runc where there is one: with an old crun podman 4.3 fails on
// a machine that limits open files.
func podmanRuntime() string {
	if _, err := exec.LookPath("runc"); err == nil {
		return "runc"
	}
	return "crun"
}

// measure runs a verb on every engine, after what it needs, and returns how
// long each run took. An engine other than berth that fails is left out.
func (b *bench) measure(ctx context.Context, all []*engine, setup, argv []string) (map[*engine][]time.Duration, error) {
	var scripts []script
	for _, e := range all {
		named := func(words []string) step {
			out := slices.Clone(words)
			if i := slices.Index(out, "IMAGE"); i >= 0 {
				out[i] = e.image
			}
			if e.name == "podman" && out[0] == "run" {
				// It asks for more open files and processes than some machines allow.
				out = slices.Insert(out, 1, "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096")
			}
			return append(slices.Clone(e.cmd), out...)
		}
		s := script{Name: e.name, Timed: []step{named(argv)}}
		if setup != nil {
			s.Setup = []step{named(setup)}
		}
		scripts = append(scripts, s)
	}
	found, err := loop(ctx, b.runs, nil, scripts...)
	if err != nil {
		return nil, err
	}
	took := map[*engine][]time.Duration{}
	for i, t := range found {
		if t.Error == "" {
			took[all[i]] = t.Times
		} else if err := left(all[i].name, t); err != nil {
			return nil, err
		}
	}
	return took, nil
}

// startEngines runs berth and, where there is one, dockerd, both with the image of busybox. What it returns has to be
// stopped, even after an error.
func (b *bench) startEngines(ctx context.Context) (all []*engine, archive string, err error) {
	ours, err := b.startBerth(ctx)
	if err != nil {
		return nil, "", err
	}
	all = append(all, ours)
	archive = filepath.Join(b.dir, "starter.tar")
	if _, err := ours.do(ctx, "image", "starter", "-o", archive); err != nil {
		return all, "", err
	}
	if e, err := b.startDocker(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "dockerd is left out:", err)
	} else {
		all = append(all, e)
	}
	for _, e := range all {
		if _, err := e.do(ctx, "load", "-i", archive); err != nil {
			return all, "", err
		}
	}
	return all, archive, nil
}

func stopAll(all []*engine) (err error) {
	for _, e := range all {
		err = errors.Join(err, e.stop())
	}
	return err
}

// clear removes all containers.
func (e *engine) clear(ctx context.Context) error {
	ids, err := e.do(ctx, "ps", "-aq")
	if err != nil || ids == "" {
		return err
	}
	_, err = e.do(ctx, append([]string{"rm", "-f"}, strings.Fields(ids)...)...)
	return err
}

// startBerth runs a berth engine of its own.
func (b *bench) startBerth(ctx context.Context) (*engine, error) {
	cmd := []string{b.berth, "--root", filepath.Join(b.dir, "berth"), "--state", filepath.Join(b.dir, "s")}
	e := &engine{name: "berth", cmd: cmd, image: "busybox:latest"}
	return e, e.serve(ctx, append(cmd, "serve"), filepath.Join(b.dir, "berth.log"), filepath.Join(b.dir, "s", "berth.sock"))
}

// startDocker runs a dockerd of its own.
func (b *bench) startDocker(ctx context.Context) (*engine, error) {
	daemon, err := exec.LookPath("dockerd")
	if err != nil {
		return nil, err
	}
	docker, err := exec.LookPath("docker")
	if err != nil {
		return nil, err
	}
	sock := filepath.Join(b.dir, "d.sock")
	e := &engine{name: "docker", cmd: []string{docker, "-H", "unix://" + sock}, image: "busybox:latest"}
	return e, e.serve(ctx, []string{
		daemon, "--data-root", filepath.Join(b.dir, "docker"), "--exec-root", filepath.Join(b.dir, "dx"),
		"--pidfile", filepath.Join(b.dir, "d.pid"), "-H", "unix://" + sock,
	}, filepath.Join(b.dir, "docker.log"), sock)
}

// serve starts the engine's server, which stop ends together with all containers.
func (e *engine) serve(ctx context.Context, argv []string, logPath, sock string) error {
	pid, stop, err := background(argv, logPath, sock)
	if err != nil {
		return err
	}
	e.pid = pid
	e.stop = func() error { return errors.Join(e.clear(context.WithoutCancel(ctx)), stop()) }
	return nil
}

// background starts a server and waits for its socket. The returned function
// ends it and waits until it has.
func background(argv []string, logPath, sock string) (pid int, stop func() error, err error) {
	log, err := os.Create(logPath)
	if err != nil {
		return 0, nil, err
	}
	defer log.Close()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return 0, nil, err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for end := time.Now().Add(30 * time.Second); ; {
		if _, err := os.Stat(sock); err == nil {
			break
		}
		select {
		case err := <-done:
			text, _ := os.ReadFile(logPath)
			return 0, nil, fmt.Errorf("%s ended: %w: %s", argv[0], err, tail(string(text)))
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(end) {
			cmd.Process.Kill()
			return 0, nil, fmt.Errorf("%s does not listen on %s", argv[0], sock)
		}
	}
	return cmd.Process.Pid, func() error {
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-done:
		case <-time.After(30 * time.Second):
			cmd.Process.Kill()
			<-done
			return fmt.Errorf("%s had to be killed", argv[0])
		}
		return nil
	}, nil
}

func tail(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

// shimMemory measures the process that stands between the engine and an idle
// container.
func (b *bench) shimMemory(ctx context.Context, all []*engine) error {
	r := result{what: "idle shim, private memory", unit: "MB", peers: map[string]float64{}}
	r.goal, r.met = most(1.06, "MB")
	for _, e := range all {
		pid, err := e.do(ctx, "inspect", "--format", "{{.State.Pid}}", "idle")
		if err != nil {
			if e.name == "berth" {
				return err
			}
			continue
		}
		mb, err := parentMemory(pid)
		switch {
		case err != nil && e.name == "berth":
			return err
		case err != nil:
			fmt.Fprintf(os.Stderr, "idle shim: %s is left out: %v\n", e.name, err)
		case e.name == "berth":
			r.berth = mb
		default:
			r.peers[e.name] = mb
		}
	}
	b.add(r)
	return nil
}

// parentMemory is the private memory of the parent of pid, in megabytes.
func parentMemory(pid string) (float64, error) {
	n, err := strconv.Atoi(pid)
	if err != nil {
		return 0, err
	}
	parent, err := parentOf(n)
	if err != nil {
		return 0, err
	}
	return rollup(parent, "Private_")
}
