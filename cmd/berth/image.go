package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"

	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"berth/cmd/berth/output"
	"berth/cmd/berth/starter"
	"berth/engine/api/berthapi"
)

func newImage(a *app) *cobra.Command {
	c := &cobra.Command{Use: "image", Short: "Look into images", Args: cobra.NoArgs, RunE: showHelp}
	list := newImages(a)
	list.Use, list.Aliases = "ls [flags] [REPOSITORY[:TAG]]", []string{"list"}
	remove := newRemoveImage(a)
	remove.Use, remove.Aliases = "rm [flags] IMAGE...", []string{"remove"}
	c.AddCommand(list, remove, newKindInspect(a, "an", "image"), newImageLayers(a), newImageFiles(a), newImageCat(a),
		newImageExtract(a), newImageDiff(a), newImageAnalyze(a), newImagePrune(a), newImageStarter(a), newPull(a), newPush(a), newTag(a), newLoad(a), newSave(a), newImport(a), newHistory(a))
	for _, build := range engineImageVerbs {
		c.AddCommand(build(a))
	}
	return c
}

// layerRow is a line of image layers.
type layerRow struct {
	Added, CreatedBy, Deleted, DiffID, Index, Modified, Size, Wasted string
}

var layerHeaders = output.Headers{
	"Index": "STEP", "DiffID": "DIFF ID", "Size": "SIZE", "Wasted": "WASTED", "Added": "ADDED", "Modified": "MODIFIED",
	"Deleted": "DELETED", "CreatedBy": "CREATED BY",
}

func newImageLayers(a *app) *cobra.Command {
	var asJSON, noTrunc bool
	var format string
	c := &cobra.Command{
		Use:   "layers [flags] IMAGE",
		Short: "Show what each layer of an image added, modified, deleted and wasted",
		Long: `Show what each layer of an image added, modified, deleted and wasted. WASTED is the
size of the files of lower layers that the layer replaces or deletes: what the image
would be smaller by. 'berth image analyze' counts as dive does, every occurrence of
such a file, the one that can be seen too, so its sum is larger.`,
		Args: args(1, 1, "image layers needs one image"),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			bc := berthapi.NewClient(cl.Client)
			defer bc.Close()
			layers, err := bc.Layers(c.Context(), args[0])
			if err != nil {
				return err
			}
			if asJSON {
				e := json.NewEncoder(a.out)
				e.SetIndent("", "  ")
				return e.Encode(layers)
			}
			rows := make([]layerRow, len(layers))
			for i, l := range layers {
				rows[i] = layerRowOf(l, noTrunc)
			}
			return output.Rows(a.out, output.Spec{
				Format: format, Headers: layerHeaders,
				Table: "{{.Index}}\t{{.DiffID}}\t{{.Size}}\t{{.Wasted}}\t{{.Added}}\t{{.Modified}}\t{{.Deleted}}\t{{.CreatedBy}}",
			}, rows)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.Flags().BoolVar(&noTrunc, "no-trunc", false, "do not shorten")
	c.Flags().StringVar(&format, "format", "", "table, json or a Go template")
	return c
}

func layerRowOf(l berthapi.Layer, noTrunc bool) layerRow {
	r := layerRow{
		Index: fmt.Sprint(l.Index), DiffID: l.DiffID, CreatedBy: l.CreatedBy, Size: output.Size(l.Size), Wasted: output.Size(l.Wasted),
		Added: fmt.Sprint(l.Added), Modified: fmt.Sprint(l.Modified), Deleted: fmt.Sprint(l.Deleted),
	}
	if l.Empty {
		r.DiffID, r.Size, r.Wasted, r.Added, r.Modified, r.Deleted = "-", "-", "-", "-", "-", "-"
	}
	if !noTrunc {
		r.CreatedBy = output.Truncate(l.CreatedBy, 60)
		if !l.Empty {
			r.DiffID = output.ShortID(l.DiffID)
		}
	}
	return r
}

// newImageStarter makes the image that `make run` opens the console on.
func newImageStarter(a *app) *cobra.Command {
	var busybox, file string
	c := &cobra.Command{
		Use:   "starter [flags]",
		Short: "Make the images " + starter.Image + " and " + starter.Busybox + " from a static busybox",
		Args:  args(0, 0, "image starter takes no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			src, err := openStarter(busybox)
			if err != nil {
				return err
			}
			if file != "" {
				w, done, err := a.outputFile(file)
				if err != nil {
					return err
				}
				_, err = src.WriteTo(w)
				return done(err)
			}
			return a.loadStarter(c, src)
		},
	}
	c.Flags().StringVar(&busybox, "busybox", "", "static busybox to use (default: the one in PATH)")
	c.Flags().StringVarP(&file, "output", "o", "", "write the archive to this file instead of loading it")
	return c
}

// loadStarter loads the images unless the engine has them.
func (a *app) loadStarter(c *cobra.Command, src *starter.Source) error {
	cl, err := a.client(c.Context())
	if err != nil {
		return err
	}
	have := 0
	for _, name := range []string{starter.Image, starter.Busybox} {
		im, err := cl.ImageInspect(c.Context(), name)
		if err == nil && im.Config != nil && im.Config.Labels[starter.Label] == src.Version() {
			have++
		}
	}
	if have == 2 {
		fmt.Fprintln(a.err, "the starter image is up to date")
		return nil
	}
	r := archiveOf(src)
	res, err := cl.ImageLoad(c.Context(), r, client.ImageLoadWithQuiet(true))
	// An engine that answers early leaves the writer waiting otherwise.
	if err = errors.Join(err, r.Close()); err != nil {
		return err
	}
	defer res.Close()
	return a.progress(res)
}

// openStarter reads the busybox of a starter image; "" is the one in PATH.
func openStarter(busybox string) (*starter.Source, error) {
	if busybox == "" {
		p, err := exec.LookPath("busybox")
		if err != nil {
			return nil, errors.New("no busybox in PATH: install one (Debian: apt-get install busybox-static) or name it with 'berth image starter --busybox'")
		}
		busybox = p
	}
	return starter.Open(busybox)
}

// archiveOf is the archive of a starter image. Closing it ends who writes it.
func archiveOf(src *starter.Source) io.ReadCloser {
	r, w := io.Pipe()
	go func() {
		_, err := src.WriteTo(w)
		w.CloseWithError(err)
	}()
	return r
}
