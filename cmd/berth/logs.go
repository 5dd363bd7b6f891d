package main

import (
	"fmt"
	"io"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"
)

func newLogs(a *app) *cobra.Command {
	o := client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true}
	c := &cobra.Command{
		Use:   "logs [flags] CONTAINER",
		Short: "Show the output of a container",
		Args:  args(1, 1, "logs needs one container"),
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			cl, err := a.client(ctx)
			if err != nil {
				return err
			}
			res, err := cl.ContainerInspect(ctx, args[0], client.ContainerInspectOptions{})
			if err != nil {
				return err
			}
			if st := res.Container.State; st != nil && st.Running && st.Error != "" {
				fmt.Fprintf(a.err, "warning: %s\n", advise(st.Error))
			}
			if o.Follow {
				return a.followLog(ctx, cl, res.Container.ID, res.Container.Config.Tty, o)
			}
			logs, err := cl.ContainerLogs(ctx, res.Container.ID, o)
			if err != nil {
				return err
			}
			defer logs.Close()
			if res.Container.Config.Tty {
				_, err = io.Copy(a.out, logs)
			} else {
				_, err = stdcopy.StdCopy(a.out, a.err, logs)
			}
			if err != nil && ctx.Err() == nil {
				return fmt.Errorf("reading the log of %s: %w", args[0], err)
			}
			return nil
		},
	}
	fs := c.Flags()
	fs.BoolVarP(&o.Follow, "follow", "f", false, "go on as the output grows")
	fs.BoolVarP(&o.Timestamps, "timestamps", "t", false, "show when each line was written")
	fs.BoolVar(&o.Details, "details", false, "show the log's labels and variables")
	fs.StringVar(&o.Since, "since", "", "only lines after this time (2026-01-02T13:23:37Z) or age (42m)")
	fs.StringVar(&o.Until, "until", "", "only lines before this time or age")
	fs.StringVarP(&o.Tail, "tail", "n", "all", "only this many lines from the end")
	return c
}
