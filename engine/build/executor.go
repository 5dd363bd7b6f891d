package build

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"berth/runtime/container"
	"berth/runtime/mount"
	"berth/shim"

	"github.com/containerd/errdefs"
	"github.com/moby/buildkit/executor"
	"github.com/moby/buildkit/executor/resources/types"
	gatewayapi "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/snapshot"
	"github.com/moby/buildkit/solver/pb"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// containers runs steps in containers like those of users, confined alike: with a
// shim each, docker's default capabilities and seccomp profile, on the default
// network. It implements BuildKit's executor.Executor.
type containers struct {
	opts StepOptions
	log  *slog.Logger

	mu      sync.Mutex
	running map[string]*step // by BuildKit's name
}

var _ executor.Executor = (*containers)(nil)

func newExecutor(opts StepOptions, log *slog.Logger) *containers {
	return &containers{opts: opts, log: log, running: make(map[string]*step)}
}

// step is one container from before it is made until it is gone.
type step struct {
	*containers
	id     string // of the container
	dir    string // its files: hosts, resolv.conf, exit.json
	root   string // its root file system on the host, while it is mounted
	spec   *specs.Spec
	net    stepNet
	client *shim.Client
	ready  chan struct{} // closed when client is set, or the step has ended
	undo   []func() error
}

// Run implements executor.Executor: it returns when the process has ended, with an
// ExitError if that was with another code than 0. A context that ends kills it.
func (c *containers) Run(ctx context.Context, name string, root executor.Mount, mounts []executor.Mount, process executor.ProcessInfo, started chan<- struct{}) (_ types.Recorder, err error) {
	if process.Meta.SecurityMode != pb.SecurityMode_SANDBOX {
		return nil, fmt.Errorf("steps run with docker's default confinement only, not with security mode %s: %w", process.Meta.SecurityMode, errdefs.ErrPermissionDenied)
	}
	if err := c.opts.places.check(process.Meta.CgroupParent); err != nil {
		return nil, err
	}
	s := &step{containers: c, id: newID(), ready: make(chan struct{})}
	s.dir = filepath.Join(c.opts.Files, s.id)
	if name == "" {
		name = s.id
	}
	c.mu.Lock()
	c.running[name] = s
	c.mu.Unlock()
	defer func() {
		err = errors.Join(err, s.clean())
		c.mu.Lock()
		delete(c.running, name)
		c.mu.Unlock()
		if s.client == nil {
			close(s.ready)
			if started != nil {
				close(started)
			}
		}
	}()
	if err := s.prepare(ctx, root, mounts, process.Meta); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	client, err := s.start(ctx, process)
	if err != nil {
		return nil, err
	}
	io, err := connect(client, process)
	if err != nil {
		return nil, err
	}
	defer io.Close()
	if err := client.Start(); err != nil {
		return nil, startError(err)
	}
	s.client = client
	close(s.ready)
	if started != nil {
		close(started)
	}
	return nil, s.wait(ctx, client, io, process)
}

// start makes the container and connects it to its network; its process is parked.
func (s *step) start(ctx context.Context, process executor.ProcessInfo) (*shim.Client, error) {
	cfg := shim.Config{
		ID: s.id, Dir: filepath.Join(s.opts.Shims, s.id), RuntimeRoot: s.opts.Runtime,
		Spec: s.spec, MountPoint: filepath.Join(s.opts.Mounts, s.id),
		Rootfs:   []mount.Mount{{Type: "bind", Source: s.root, Options: []string{"rbind", "rw"}}},
		Log:      shim.LogConfig{Driver: "none"},
		ExitPath: filepath.Join(s.dir, "exit.json"), ExitUnsynced: true, // no build outlives the host
		Tty: process.Meta.Tty, OpenStdin: process.Stdin != nil, StdinOnce: true,
	}
	// A shim that is being started is not to be stopped half-way; it bounds its own calls.
	whole := context.WithoutCancel(ctx)
	client, err := shim.Start(whole, s.opts.Self, cfg)
	if err != nil {
		return nil, startError(err)
	}
	s.undo = append(s.undo, func() error {
		err := shim.Reap(whole, cfg.Dir, cfg.RuntimeRoot, s.id)
		os.Remove(cfg.MountPoint) // fails when a mount is left, which Reap tells
		return err
	})
	return client, s.connect(whole, client, process.Meta)
}

// startError is why a process could not be started, with the exit code that a
// shell gives that.
func startError(err error) error {
	code := uint32(0)
	switch {
	case errors.Is(err, container.ErrNotFound):
		code = 127
	case errors.Is(err, container.ErrNotExecutable):
		code = 126
	default:
		return err
	}
	return &gatewayapi.ExitError{ExitCode: code, Err: err}
}

// wait follows the process to its end.
func (s *step) wait(ctx context.Context, client *shim.Client, io *streams, process executor.ProcessInfo) error {
	ended := make(chan struct{})
	var helpers sync.WaitGroup
	helpers.Go(func() {
		for {
			select {
			case <-ctx.Done():
				// An error is that it has ended, or that Reap will do it.
				_ = client.Kill(unix.SIGKILL, true)
				return
			case sig, ok := <-process.Signal:
				if !ok {
					process.Signal = nil
				} else if err := client.Kill(sig, false); err != nil {
					s.log.Debug("signalling a build step", "id", s.id, "err", err)
				}
			case size, ok := <-process.Resize:
				if !ok {
					process.Resize = nil
				} else if err := client.Resize(uint(size.Rows), uint(size.Cols)); err != nil {
					s.log.Debug("resizing a build step", "id", s.id, "err", err)
				}
			case <-ended:
				return
			}
		}
	})
	exit, err := client.Wait(context.WithoutCancel(ctx))
	close(ended)
	helpers.Wait()
	// The shim closes the streams before it answers: this ends once all is read.
	err = errors.Join(err, io.drain())
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	return exitError(exit, process.Meta.ValidExitCodes)
}

// exitError is the error of a process that ended in another way than it should.
func exitError(exit shim.Exit, valid []int) error {
	code := exit.Status
	if len(valid) == 0 {
		valid = []int{0}
	}
	for _, v := range valid {
		if code == v {
			return nil
		}
	}
	err := &gatewayapi.ExitError{ExitCode: uint32(code)}
	if exit.OOMKilled {
		err.Err = syscall.ENOMEM
	}
	return err
}

// clean takes away what the step had, last things first.
func (s *step) clean() error {
	var errs []error
	for i := len(s.undo) - 1; i >= 0; i-- {
		errs = append(errs, s.undo[i]())
	}
	return errors.Join(errs...)
}

// mounted mounts what BuildKit describes on the host, below the directory of
// temporary files if it takes a mount, until the step is cleaned.
func (s *step) mounted(src snapshot.Mountable) (string, error) {
	m := snapshot.LocalMounter(src)
	dir, err := m.Mount()
	if err != nil {
		return "", err
	}
	s.undo = append(s.undo, m.Unmount)
	return dir, nil
}

// newID is an ID like a container's.
func newID() string {
	var b [32]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}
