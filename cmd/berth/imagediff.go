package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"

	"github.com/containerd/errdefs"
	"github.com/spf13/cobra"

	"berth/cmd/berth/output"
	"berth/engine/api/berthapi"
)

// treeHelp says how file systems are named.
const treeHelp = `
A tree is one of
  IMAGE            an image
  IMAGE@layerN     an image up to step N of 'berth image layers'
  IMAGE@sha256:…   an image up to the layer with this digest
  sha256:…         one layer by itself
  CONTAINER        a container with what it changed, without what is mounted
  CONTAINER@live   its writable layer by itself
'image:NAME' and 'container:NAME' choose if both exist.`

// errDiffers is the code of --exit-code.
var errDiffers = &statusError{code: 1}

func newImageDiff(a *app) *cobra.Command {
	var o berthapi.DiffOptions
	var asJSON, nameOnly, stat, exitCode bool
	c := &cobra.Command{
		Use:   "diff [flags] TREE TREE [PATH]",
		Short: "Show how two images, layers or containers differ",
		Long: `Show how two images, layers or containers differ: A added, D deleted, M modified,
M* only mode, owner, attributes or time. With the path of a file, its lines.
A file is modified if its bytes differ, whatever its time is; one with the same bytes
and another time is M*, which --ignore-times leaves out. Of directories the time
does not count.
` + treeHelp,
		Args: args(2, 3, "image diff needs two trees"),
		RunE: func(c *cobra.Command, args []string) error {
			bc, done, err := a.berthClient(c.Context())
			if err != nil {
				return err
			}
			defer done()
			if len(args) == 3 {
				n, err := a.fileDiff(c, bc, args)
				if err == nil && n > 0 && exitCode {
					return errDiffers
				}
				if !errdefs.IsInvalidArgument(err) {
					return err
				}
				o.Dir = args[2] // it is no file
			}
			shown := &differences{app: a, json: asJSON, nameOnly: nameOnly, stat: stat}
			if err := shown.print(bc.Diff(c.Context(), args[0], args[1], o)); err != nil {
				return err
			}
			if exitCode && shown.any() {
				return errDiffers
			}
			return nil
		},
	}
	fs := c.Flags()
	fs.BoolVar(&asJSON, "json", false, "print a line of JSON for each difference")
	fs.BoolVar(&nameOnly, "name-only", false, "print paths only")
	fs.BoolVar(&stat, "stat", false, "print counts and sizes only")
	fs.BoolVar(&o.IgnoreTimes, "ignore-times", false, "another time alone is no difference")
	fs.BoolVar(&exitCode, "exit-code", false, "end with 1 if there is a difference")
	return c
}

// berthClient is a client of berth's own routes.
func (a *app) berthClient(ctx context.Context) (*berthapi.Client, func(), error) {
	cl, err := a.client(ctx)
	if err != nil {
		return nil, nil, err
	}
	bc := berthapi.NewClient(cl.Client)
	return bc, bc.Close, nil
}

// fileDiff prints the text diff of a file and returns its length.
func (a *app) fileDiff(c *cobra.Command, bc *berthapi.Client, args []string) (int64, error) {
	r, err := bc.FileDiff(c.Context(), args[0], args[1], args[2])
	if err != nil {
		return 0, err
	}
	defer r.Close()
	return io.Copy(a.out, r)
}

// differences prints and counts what differs.
type differences struct {
	app                  *app
	json, nameOnly, stat bool
	count                map[berthapi.Kind]int
	before, after        map[berthapi.Kind]int64
}

func (d *differences) any() bool { return len(d.count) > 0 }

func (d *differences) print(list iter.Seq2[berthapi.Difference, error]) error {
	d.count, d.before, d.after = map[berthapi.Kind]int{}, map[berthapi.Kind]int64{}, map[berthapi.Kind]int64{}
	shown := d.app.shown()
	enc := json.NewEncoder(d.app.out)
	enc.SetEscapeHTML(false)
	for x, err := range list {
		if err != nil {
			return err
		}
		d.count[x.Kind]++
		if x.Old != nil {
			d.before[x.Kind] += x.Old.Size
		}
		if x.New != nil {
			d.after[x.Kind] += x.New.Size
		}
		switch {
		case d.stat:
			continue
		case d.json:
			err = enc.Encode(x)
		case d.nameOnly:
			_, err = fmt.Fprintln(d.app.out, shown(x.Path))
		default:
			_, err = fmt.Fprintf(d.app.out, "%-2s %s\n", x.Kind, shown(x.Path))
		}
		if err != nil {
			return err
		}
	}
	if d.stat {
		return d.summary()
	}
	return nil
}

// summary says how many and how much.
func (d *differences) summary() error {
	size := output.Size
	_, err := fmt.Fprintf(d.app.out, "%d added, %s\n%d deleted, %s\n%d modified, %s before, %s after\n%d with other metadata only\n",
		d.count[berthapi.Added], size(d.after[berthapi.Added]), d.count[berthapi.Deleted], size(d.before[berthapi.Deleted]),
		d.count[berthapi.Modified], size(d.before[berthapi.Modified]), size(d.after[berthapi.Modified]), d.count[berthapi.Metadata])
	return err
}
