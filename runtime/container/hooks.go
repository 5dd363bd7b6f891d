//lint:file-ignore SA1019 prestart is deprecated, and what Docker uses

package container

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"strings"
	"sync/atomic"
	"time"

	"berth/runtime/nsenter"
	"berth/runtime/plainjson"
	"berth/runtime/rootfs"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Where the hooks run (runtime-spec config.md, "POSIX-platform Hooks"):
//
//	prestart, createRuntime   in the runtime's namespaces   before pivot_root
//	createContainer           in the container's            before pivot_root
//	startContainer            in the container              at Start
//	poststart, poststop       in the runtime's namespaces   after Start, after Delete
//
// An error of the first five undoes what was being done, the command itself
// included; one of poststop is only reported, and the next ones run all the same.
// What is told of the container's process is its number as the hook sees it.

// validateHooks refuses hooks that could not run.
func validateHooks(h *specs.Hooks) error {
	if h == nil {
		return nil
	}
	for name, list := range map[string][]specs.Hook{
		"prestart":      h.Prestart, //nolint:staticcheck // deprecated, and what Docker uses
		"createRuntime": h.CreateRuntime, "createContainer": h.CreateContainer, "startContainer": h.StartContainer,
		"poststart": h.Poststart, "poststop": h.Poststop,
	} {
		for i, hook := range list {
			if !path.IsAbs(hook.Path) {
				return fmt.Errorf("hooks.%s[%d]: path %q is not absolute: %w", name, i, hook.Path, errdefs.ErrInvalidArgument)
			}
			if hook.Timeout != nil && *hook.Timeout <= 0 {
				return fmt.Errorf("hooks.%s[%d]: timeout %d is not positive: %w", name, i, *hook.Timeout, errdefs.ErrInvalidArgument)
			}
		}
	}
	return nil
}

// runHooks runs hooks one after another, from the calling thread, with the
// container's state on their standard input.
func (c *Container) runHooks(name string, list []specs.Hook, status specs.ContainerState) error {
	if len(list) == 0 {
		return nil
	}
	state, err := c.hookState(status, c.hookPID(status))
	if err != nil {
		return err
	}
	return eachHook(name, list, state, hostHook)
}

func (c *Container) hookState(status specs.ContainerState, pid int) ([]byte, error) {
	return plainjson.Marshal(specs.State{Version: c.rec.Version, ID: c.rec.ID, Status: status, Pid: pid,
		Bundle: c.rec.Bundle, Annotations: c.rec.Annotations})
}

// poststop runs the last hooks, each whatever became of the one before.
func (c *Container) poststop() {
	if c.rec.Hooks == nil || len(c.rec.Hooks.Poststop) == 0 {
		return
	}
	state, err := c.hookState(specs.StateStopped, 0)
	if err != nil {
		c.warnOf(err)
		return
	}
	for i, h := range c.rec.Hooks.Poststop {
		if err := runHook(h, state, hostHook); err != nil {
			c.warnOf(hookError("poststop", i, h, err))
		}
	}
}

// eachHook runs hooks one after another, each started by start.
func eachHook(name string, list []specs.Hook, state []byte, start hookStart) error {
	for i, h := range list {
		if err := runHook(h, state, start); err != nil {
			return hookError(name, i, h, err)
		}
	}
	return nil
}

// hookError names the hook that failed, in runc's words.
func hookError(name string, i int, h specs.Hook, err error) error {
	return fmt.Errorf("error running %s hook #%d: %s: %w", name, i, h.Path, err)
}

// hookStart starts a hook with its standard streams.
type hookStart func(h specs.Hook, args []string, in, out *os.File) (hookProcess, error)

// hookProcess is a hook that runs.
type hookProcess interface {
	Kill() error
	// Wait reaps it. How it failed is the error.
	Wait() error
}

// hostHook starts a hook from the calling thread. One that names no environment
// has the runtime's, as with runc and crun.
func hostHook(h specs.Hook, args []string, in, out *os.File) (hookProcess, error) {
	// What the runtime was started with is not the hook's.
	if err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return nil, fmt.Errorf("close the runtime's descriptors: %w", err)
	}
	p, err := os.StartProcess(h.Path, args, &os.ProcAttr{Env: h.Env, Files: []*os.File{in, out, out}})
	return hostProcess{p}, err
}

type hostProcess struct{ *os.Process }

func (p hostProcess) Wait() error {
	status, err := p.Process.Wait()
	if err == nil && !status.Success() {
		err = errors.New(status.String())
	}
	return err
}

func (c *Container) hookPID(status specs.ContainerState) int {
	if status == specs.StateStopped {
		return 0
	}
	if c.init != nil {
		return c.init.pid
	}
	return c.rec.PID
}

func runHook(h specs.Hook, state []byte, start hookStart) error {
	in, stdin, err := os.Pipe()
	if err != nil {
		return err
	}
	defer stdin.Close()
	stderr, out, err := os.Pipe()
	if err != nil {
		in.Close()
		return err
	}
	defer stderr.Close()
	args := h.Args
	if len(args) == 0 {
		args = []string{h.Path}
	}
	p, err := start(h, args, in, out)
	in.Close()
	out.Close()
	if err != nil {
		return err
	}
	var expired atomic.Bool
	if h.Timeout != nil {
		t := time.AfterFunc(time.Duration(*h.Timeout)*time.Second, func() {
			expired.Store(true)
			_ = p.Kill() // it may have ended just now
			// What it started may still hold the pipe.
			_ = stderr.SetReadDeadline(time.Now())
		})
		defer t.Stop()
	}
	go func() {
		_, _ = stdin.Write(state) // a hook need not read it
		stdin.Close()
	}()
	said, rerr := io.ReadAll(io.LimitReader(stderr, 4096))
	if rerr == nil {
		_, rerr = io.Copy(io.Discard, stderr) // what it says beyond that must not block it
	}
	err = p.Wait()
	late := expired.Load()
	switch text := strings.TrimSpace(string(said)); {
	case err != nil && late:
		return fmt.Errorf("ran past its timeout of %d s: %w", *h.Timeout, err)
	case err != nil && text != "":
		return fmt.Errorf("%w: %s", err, text)
	case err != nil || late:
		return err
	}
	return rerr
}

// createHooks runs the hooks before pivot_root, from the builder.
func (b *build) createHooks(root *rootfs.Rootfs) error {
	h := b.spec.Hooks
	if h == nil {
		return nil
	}
	done := make(chan error, 1)
	go func() { // another thread, which is not in the container's namespaces
		err := b.c.runHooks("prestart", h.Prestart, specs.StateCreating)
		if err == nil {
			err = b.c.runHooks("createRuntime", h.CreateRuntime, specs.StateCreating)
		}
		done <- err
	}()
	if err := <-done; err != nil {
		return err
	}
	if len(h.CreateContainer) == 0 {
		return nil
	}
	pid, err := hostInnerPID(b.c.init.pid)
	if err != nil {
		return err
	}
	if b.ns.New(specs.PIDNamespace) {
		if err := nsenter.EnterPIDOf(b.c.init.pid); err != nil {
			return err
		}
	}
	state, err := b.c.hookState(specs.StateCreating, pid)
	if err != nil {
		return err
	}
	// The builder's are nothing for others, and its directory is about to be the root.
	defer unix.Umask(unix.Umask(0o022))
	if err := unix.Fchdir(root.FD()); err != nil {
		return fmt.Errorf("enter the root file system: %w", err)
	}
	return eachHook("createContainer", h.CreateContainer, state, hostHook)
}

// hostInnerPID is innerPID for the builder, over whose /proc the container's may
// have been mounted.
func hostInnerPID(pid int) (int, error) {
	type result struct {
		pid int
		err error
	}
	done := make(chan result, 1)
	go func() {
		pid, err := innerPID(pid)
		done <- result{pid, err}
	}()
	r := <-done
	return r.pid, r.err
}
