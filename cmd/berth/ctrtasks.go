//go:build !client

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/sys/signal"
	"github.com/spf13/cobra"

	"berth/cmd/berth/output"
	"berth/shim"
)

type taskRow struct{ ID, PID, Shim, Status string }

func newCtrTasks(a *app) *cobra.Command {
	return group("tasks", "Containers that run, by their shims", []string{"task", "t"}, newCtrTaskList(a), newCtrTaskProcesses(a), newCtrTaskKill(a))
}

// tasks are the shims' directories, by the IDs of their containers.
func (a *app) tasks() ([]string, error) {
	if err := a.fill(); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(filepath.Join(a.conf.State, "shim"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var ids []string
	for _, e := range entries {
		ids = append(ids, e.Name())
	}
	return ids, err
}

// task finds the one container whose ID begins so.
func (a *app) task(prefix string) (id string, err error) {
	ids, err := a.tasks()
	if err != nil {
		return "", err
	}
	for _, have := range ids {
		if have == prefix {
			return have, nil
		}
		if prefix != "" && strings.HasPrefix(have, prefix) {
			if id != "" {
				return "", fmt.Errorf("several tasks begin with %s", prefix)
			}
			id = have
		}
	}
	if id == "" {
		return "", fmt.Errorf("no task %s: 'berth ctr tasks ls' lists them", prefix)
	}
	return id, nil
}

// shimOf connects to the shim of a container.
func (a *app) shimOf(ctx context.Context, id string) (*shim.Client, error) {
	return shim.Connect(ctx, filepath.Join(a.conf.State, "shim", id))
}

func newCtrTaskList(a *app) *cobra.Command {
	var quiet bool
	c := &cobra.Command{
		Use: "ls [flags]", Aliases: []string{"list"}, Short: "List what runs",
		Args: args(0, 0, "tasks ls takes no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			ids, err := a.tasks()
			if err != nil {
				return err
			}
			var rows []taskRow
			for _, id := range ids {
				row := taskRow{ID: id, PID: "0", Shim: "0"}
				client, err := a.shimOf(c.Context(), id)
				var info shim.Info
				if err == nil {
					info, err = client.Info()
				}
				switch {
				case err == nil:
					row.PID, row.Shim, row.Status = strconv.Itoa(info.PID), strconv.Itoa(info.ShimPID), strings.ToUpper(string(info.Status))
				case errdefs.IsNotFound(err), errdefs.IsUnavailable(err):
					row.Status = "NO SHIM" // killed; the next engine clears up
				default:
					return err
				}
				rows = append(rows, row)
			}
			s := output.Spec{Headers: output.Headers{"ID": "TASK", "PID": "PID", "Shim": "SHIM", "Status": "STATUS"}, Table: "{{.ID}}\t{{.PID}}\t{{.Shim}}\t{{.Status}}"}
			if quiet {
				s.Format = "{{.ID}}"
			}
			return output.Rows(a.out, s, rows)
		},
	}
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print IDs only")
	return c
}

type processRow struct{ PID, Info string }

func newCtrTaskProcesses(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "ps TASK", Short: "List the processes of a container",
		Args: args(1, 1, "tasks ps needs the ID of a task"),
		RunE: func(_ *cobra.Command, refs []string) error {
			id, err := a.task(refs[0])
			if err != nil {
				return err
			}
			pids, err := shim.Pids(filepath.Join(a.conf.State, "shim", id), filepath.Join(a.conf.State, "runtime"), id)
			if err != nil {
				return err
			}
			var rows []processRow
			for _, pid := range pids {
				line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
				if err != nil {
					continue // gone since
				}
				rows = append(rows, processRow{strconv.Itoa(pid), printable(strings.TrimRight(strings.ReplaceAll(string(line), "\x00", " "), " "))})
			}
			return output.Rows(a.out, output.Spec{Headers: output.Headers{"PID": "PID", "Info": "INFO"}, Table: "{{.PID}}\t{{.Info}}"}, rows)
		},
	}
}

func newCtrTaskKill(a *app) *cobra.Command {
	var name string
	var all bool
	c := &cobra.Command{
		Use: "kill [flags] TASK", Short: "Send a signal to a container",
		Args: args(1, 1, "tasks kill needs the ID of a task"),
		RunE: func(c *cobra.Command, refs []string) error {
			sig, err := signal.ParseSignal(name)
			if err != nil {
				return err
			}
			id, err := a.task(refs[0])
			if err != nil {
				return err
			}
			client, err := a.shimOf(c.Context(), id)
			if err != nil {
				return err
			}
			return client.Kill(sig, all)
		},
	}
	c.Flags().StringVarP(&name, "signal", "s", "SIGTERM", "signal")
	c.Flags().BoolVarP(&all, "all", "a", false, "to all processes of the container")
	return c
}
