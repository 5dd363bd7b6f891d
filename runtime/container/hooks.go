//lint:file-ignore SA1019 prestart is deprecated, and what Docker uses

package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"time"

	"berth/runtime/nsenter"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Where the hooks run (runtime-spec config.md, "POSIX-platform Hooks"):
//
//	prestart, createRuntime   in the runtime's namespaces   before pivot_root
//	createContainer           on the builder thread         before pivot_root
//	startContainer            in the container              at Start
//	poststart, poststop       in the runtime's namespaces   after Start, after Delete
//
// An error of the first four undoes what was being done; one of the last two is
// only reported.

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
	state, err := json.Marshal(specs.State{Version: c.rec.Version, ID: c.rec.ID, Status: status, Pid: c.hookPID(status),
		Bundle: c.rec.Bundle, Annotations: c.rec.Annotations})
	if err != nil {
		return err
	}
	for i, h := range list {
		if err := runHook(h, state); err != nil {
			return fmt.Errorf("hooks.%s[%d]: %s: %w", name, i, h.Path, err)
		}
	}
	return nil
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

func runHook(h specs.Hook, state []byte) error {
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
	// A nil environment would be ours.
	env := append([]string{}, h.Env...)
	p, err := os.StartProcess(h.Path, args, &os.ProcAttr{Env: env, Files: []*os.File{in, out, out}})
	in.Close()
	out.Close()
	if err != nil {
		return err
	}
	if h.Timeout != nil {
		t := time.AfterFunc(time.Duration(*h.Timeout)*time.Second, func() {
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
	said, err := io.ReadAll(io.LimitReader(stderr, 4096))
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	status, err := p.Wait()
	if err != nil {
		return err
	}
	if !status.Success() {
		return fmt.Errorf("%s: %s", status, strings.TrimSpace(string(said)))
	}
	return nil
}

// createHooks runs the hooks before pivot_root, from the builder.
func (b *build) createHooks() error {
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
	return b.c.runHooks("createContainer", h.CreateContainer, specs.StateCreating)
}

// startHooks runs the hooks inside the container before its command.
func (c *Container) startHooks() error {
	if c.rec.Hooks == nil || len(c.rec.Hooks.StartContainer) == 0 {
		return nil
	}
	pidfd, err := c.pidfd()
	if err != nil {
		return err
	}
	defer pidfd.Close()
	return nsenter.Builder(func() error {
		if err := nsenter.EnterProcess(pidfd); err != nil {
			return err
		}
		return c.runHooks("startContainer", c.rec.Hooks.StartContainer, specs.StateCreated)
	})
}
