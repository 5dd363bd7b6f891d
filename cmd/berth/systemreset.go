//go:build !client

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"berth/engine"
)

func newSystemReset(a *app) *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:   "reset [flags]",
		Short: "Remove all that berth has made on this machine",
		Long: `Remove all that the engine of this root and state directory has made: containers
with their processes, networks and firewall rules, cgroups, volumes, images, and
both directories. What is in volumes is lost.

An engine that serves is stopped first; a console that runs the engine has to be
quit. No engine needs to start for it, so it also helps where none starts any more.`,
		Args: args(0, 0, "system reset takes no arguments"),
		RunE: func(c *cobra.Command, _ []string) error { return a.reset(c.Context(), force) },
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "do not ask")
	return c
}

func (a *app) reset(ctx context.Context, force bool) error {
	if err := a.fill(); err != nil {
		return err
	}
	if a.conf.Host != "" && a.conf.Host != a.conf.Socket() {
		return fmt.Errorf("system reset is for the engine of this machine, not for %s: run it there", a.conf.Host)
	}
	serving, err := engine.LockHolder(a.conf.State)
	if err != nil {
		return err
	}
	what := []string{
		"all containers, running or not", "all volumes with their data", "all images", "all networks",
		"the directories " + a.conf.Root + " and " + a.conf.State,
	}
	if serving != 0 {
		if !serves(serving) {
			return fmt.Errorf("a console (process %d) runs the engine: quit it first", serving)
		}
		what = append(what, fmt.Sprintf("the engine that serves (process %d)", serving))
	}
	if !a.confirm(force, what...) {
		return nil
	}
	if serving != 0 {
		if err := stopEngine(ctx, serving); err != nil {
			return err
		}
	}
	log := slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	return engine.Reset(ctx, engine.Config{Root: a.conf.Root, State: a.conf.State, Log: log})
}

// serves tells whether a process is an engine without a console.
func serves(pid int) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && bytes.Contains(line, []byte("\x00serve\x00"))
}

// stopEngine ends an engine and waits until it is gone.
func stopEngine(ctx context.Context, pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("stopping the engine (process %d): %w", pid, err)
	}
	defer unix.Close(fd)
	// Looked at after the descriptor was opened: if it is the engine, the descriptor is its.
	if !serves(pid) {
		return fmt.Errorf("process %d is no engine any more: try again", pid)
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGTERM, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("stopping the engine (process %d): %w", pid, err)
	}
	for end := time.Now().Add(2 * stopPatience); ; {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 100)
		switch {
		case n > 0:
			return nil
		case err != nil && !errors.Is(err, unix.EINTR):
			return fmt.Errorf("waiting for the engine's end: %w", err)
		case ctx.Err() != nil:
			return ctx.Err()
		case time.Now().After(end):
			return fmt.Errorf("the engine (process %d) does not end: kill it, then try again", pid)
		}
	}
}
