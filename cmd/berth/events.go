package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"berth/cmd/berth/output"
)

func newEvents(a *app) *cobra.Command {
	var o client.EventsListOptions
	var format string
	var filters []string
	c := &cobra.Command{
		Use:   "events [flags]",
		Short: "Show what happens, as it happens",
		Args:  args(0, 0, "events takes no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			var err error
			if o.Filters, err = parseFilters(filters); err != nil {
				return err
			}
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			ctx := c.Context()
			ev := cl.Events(ctx, o)
			for {
				select {
				case m := <-ev.Messages:
					if err := a.event(m, format); err != nil {
						return err
					}
					// From there on the next engine is asked, should this one be replaced.
					next := m.TimeNano + 1
					o.Since = fmt.Sprintf("%d.%09d", next/1e9, next%1e9)
				case err := <-ev.Err:
					if ctx.Err() != nil || o.Until != "" && errors.Is(err, io.EOF) {
						return nil
					}
					if answered(err) {
						return err
					}
					if cl, err = a.nextEngine(ctx, false); err != nil {
						return nil //nolint:nilerr // it ended, and none came: so did the events
					}
					ev = cl.Events(ctx, o)
				}
			}
		},
	}
	c.Flags().StringVar(&o.Since, "since", "", "show events since this time or age")
	c.Flags().StringVar(&o.Until, "until", "", "stop at this time or age")
	c.Flags().StringVar(&format, "format", "", "json or a Go template")
	c.Flags().StringArrayVarP(&filters, "filter", "f", nil, "filter (KEY=VALUE)")
	return c
}

// event prints one event in docker's form.
func (a *app) event(m events.Message, format string) error {
	if format != "" {
		return output.Value(a.out, format, m)
	}
	var attrs []string
	for k, v := range m.Actor.Attributes {
		attrs = append(attrs, k+"="+v)
	}
	slices.Sort(attrs)
	line := fmt.Sprintf("%s %s %s %s", time.Unix(0, m.TimeNano).Format("2006-01-02T15:04:05.000000000Z07:00"), m.Type, m.Action, m.Actor.ID)
	if len(attrs) > 0 {
		line += " (" + strings.Join(attrs, ", ") + ")"
	}
	_, err := fmt.Fprintln(a.out, a.shown()(line)) // an image's labels are in it
	return err
}
