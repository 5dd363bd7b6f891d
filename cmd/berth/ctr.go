//go:build !client

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/docker/go-units"
	"github.com/opencontainers/go-digest"
	"github.com/spf13/cobra"

	"berth/cmd/berth/output"
	"berth/store"
	"berth/store/meta"
)

// newCtr is for the day when the engine does not start: it looks at the store and at
// the shims directly, as containerd's ctr does, and changes nothing but what it is told
// to kill.
func newCtr(a *app) *cobra.Command {
	c := &cobra.Command{
		Use:   "ctr",
		Short: "Look at the store and the shims directly, without an engine",
		Long: `Look at the store and the shims directly: what there is, when no engine starts, or
beside the one that runs. The database is read from a copy, so that nothing waits and
nothing is changed; the files are those of --root and --state.`,
		Args: cobra.NoArgs, RunE: showHelp,
	}
	c.AddCommand(newCtrContent(a), newCtrImages(a), newCtrContainers(a), newCtrSnapshots(a), newCtrTasks(a), newCtrLeases(a))
	return c
}

// group is a verb that only has verbs below it.
func group(use, short string, aliases []string, verbs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Aliases: aliases, Short: short, Args: cobra.NoArgs, RunE: showHelp}
	c.AddCommand(verbs...)
	return c
}

// look opens the store of a.conf for a verb.
func (a *app) look(do func(*store.View) error) (err error) {
	if err := a.fill(); err != nil {
		return err
	}
	v, err := store.Look(a.conf.Root)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("there is no store in %s: no engine has run there, or --root is another", a.conf.Root)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	return do(v)
}

// listing is a verb that prints a table, or with -q the first column.
func listing[T any](a *app, use, short string, spec output.Spec, rows func(context.Context, *store.View) ([]T, error)) *cobra.Command {
	var quiet bool
	c := &cobra.Command{
		Use: use + " [flags]", Aliases: []string{"list"}, Short: short,
		Args: args(0, 0, use+" takes no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.look(func(v *store.View) error {
				list, err := rows(c.Context(), v)
				if err != nil {
					return err
				}
				s := spec
				if quiet {
					s.Format, _, _ = strings.Cut(s.Table, "\t")
				}
				return output.Rows(a.out, s, list)
			})
		},
	}
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print only what names them")
	return c
}

// labelsOf writes labels in one order.
func labelsOf(m map[string]string) string {
	if len(m) == 0 {
		return "-"
	}
	return output.Labels(m)
}

func age(t time.Time) string { return units.HumanDuration(time.Since(t)) }

type blobRow struct{ Digest, Size, Age, Labels string }

func newCtrContent(a *app) *cobra.Command {
	ls := listing(a, "ls", "List the blobs", output.Spec{
		Headers: output.Headers{"Digest": "DIGEST", "Size": "SIZE", "Age": "AGE", "Labels": "LABELS"}, Table: "{{.Digest}}\t{{.Size}}\t{{.Age}}\t{{.Labels}}",
	}, func(ctx context.Context, v *store.View) (rows []blobRow, err error) {
		err = v.Content.Walk(ctx, func(i content.Info) error {
			size := output.Size(i.Size)
			if _, err := os.Stat(v.Blob(i.Digest)); err != nil {
				size = "missing"
			}
			rows = append(rows, blobRow{i.Digest.String(), size, age(i.CreatedAt), labelsOf(i.Labels)})
			return nil
		})
		return rows, err
	})
	get := &cobra.Command{
		Use: "get DIGEST", Short: "Print a blob",
		Args: args(1, 1, "content get needs a digest"),
		RunE: func(_ *cobra.Command, refs []string) error {
			return a.look(func(v *store.View) error {
				d, err := digest.Parse(refs[0])
				if err != nil {
					return fmt.Errorf("%s: %w", refs[0], err)
				}
				f, err := os.Open(v.Blob(d))
				if errors.Is(err, os.ErrNotExist) {
					return fmt.Errorf("no blob %s: 'berth ctr content ls' lists them", d)
				}
				if err != nil {
					return err
				}
				defer f.Close()
				_, err = io.Copy(a.out, f)
				return err
			})
		},
	}
	return group("content", "Blobs, by their digests", []string{"c"}, ls, get)
}

type namedRow struct{ Ref, Digest, Layers, Size string }

func newCtrImages(a *app) *cobra.Command {
	return group("images", "Images, by their names", []string{"image", "i"}, listing(a, "ls", "List the names of images", output.Spec{
		Headers: output.Headers{"Ref": "REF", "Digest": "IMAGE ID", "Layers": "LAYERS", "Size": "SIZE"}, Table: "{{.Ref}}\t{{.Digest}}\t{{.Layers}}\t{{.Size}}",
	}, func(_ context.Context, v *store.View) (rows []namedRow, err error) {
		list, err := v.Images()
		for _, n := range list {
			if n.Name == "" {
				n.Name = "<none>"
			}
			rows = append(rows, namedRow{n.Name, n.ID.String(), fmt.Sprint(n.Layers), output.Size(n.Size)})
		}
		return rows, err
	}))
}

// containerRecord is what ctr shows of the engine's record of a container.
type containerRecord struct {
	ID, Name string
	Created  time.Time
	Config   struct{ Image string }
}

type containerRow struct{ ID, Name, Image, Age string }

func newCtrContainers(a *app) *cobra.Command {
	return group("containers", "Containers, as they are on record", []string{"container"}, listing(a, "ls", "List the records of containers", output.Spec{
		Headers: output.Headers{"ID": "CONTAINER", "Name": "NAME", "Image": "IMAGE", "Age": "AGE"}, Table: "{{.ID}}\t{{.Name}}\t{{.Image}}\t{{.Age}}",
	}, func(_ context.Context, v *store.View) (rows []containerRow, err error) {
		b, err := meta.NewBucket[containerRecord](v.Meta, "containers")
		if err != nil {
			return nil, err
		}
		return rows, b.ForEach(func(_ string, r containerRecord) error {
			rows = append(rows, containerRow{r.ID, r.Name, r.Config.Image, age(r.Created)})
			return nil
		})
	}))
}

type leaseRow struct{ ID, Created, Labels, Resources string }

func newCtrLeases(a *app) *cobra.Command {
	return group("leases", "Leases, which keep things from being collected", []string{"lease"}, listing(a, "ls", "List the leases", output.Spec{
		Headers: output.Headers{"ID": "ID", "Created": "CREATED AT", "Labels": "LABELS", "Resources": "RESOURCES"},
		Table:   "{{.ID}}\t{{.Created}}\t{{.Labels}}\t{{.Resources}}",
	}, func(ctx context.Context, v *store.View) (rows []leaseRow, err error) {
		list, err := v.Leases.List(ctx)
		if err != nil {
			return nil, err
		}
		for _, l := range list {
			held, err := v.Leases.ListResources(ctx, l)
			if err != nil {
				return nil, err
			}
			var kinds []string
			for _, r := range held {
				kinds = append(kinds, r.Type+"/"+r.ID)
			}
			slices.Sort(kinds)
			rows = append(rows, leaseRow{l.ID, l.CreatedAt.Format(time.RFC3339), labelsOf(l.Labels), strings.Join(kinds, ",")})
		}
		return rows, nil
	}))
}
