package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"berth/engine/api/berthapi"
)

func newImageFiles(a *app) *cobra.Command {
	var part berthapi.Part
	var asJSON, changed bool
	c := &cobra.Command{
		Use:   "files [flags] TREE [PATH]",
		Short: "List the files of an image, a layer or a container",
		Long: `List the files of an image, a layer or a container, with what its topmost layer
did to them: A added, D deleted, M modified, M* only mode, owner, attributes or time.
` + treeHelp,
		Args: args(1, 2, "image files needs a tree"),
		RunE: func(c *cobra.Command, args []string) error {
			bc, done, err := a.berthClient(c.Context())
			if err != nil {
				return err
			}
			defer done()
			if len(args) == 2 {
				part.Dir = args[1]
			}
			enc := json.NewEncoder(a.out)
			enc.SetEscapeHTML(false)
			shown := a.shown()
			found := changed // nothing changed there is an answer
			for e, err := range bc.TreeEntries(c.Context(), args[0], !changed, part) {
				if err != nil {
					return err
				}
				found = true
				if changed && e.Kind == berthapi.Unchanged {
					continue
				}
				if asJSON {
					err = enc.Encode(e)
				} else {
					_, err = fmt.Fprintln(a.out, shown(fileLine(e)))
				}
				if err != nil {
					return err
				}
			}
			if !found && part.Dir != "" {
				return fmt.Errorf("%s has no %s", args[0], part.Dir)
			}
			return nil
		},
	}
	fs := c.Flags()
	fs.BoolVar(&asJSON, "json", false, "print a line of JSON for each file")
	fs.BoolVar(&changed, "changed", false, "only what the topmost layer added, changed or deleted")
	fs.IntVar(&part.Depth, "depth", 0, "how many levels below PATH (0: all)")
	return c
}

// fileLine is an entry as ls -l shows it, behind what was done to it.
func fileLine(e berthapi.Entry) string {
	line := fmt.Sprintf("%-2s %s %5s %10d %s", e.Kind, lsMode(e), strconv.Itoa(e.UID)+":"+strconv.Itoa(e.GID), e.Size, e.Path)
	switch {
	case e.Link != "" && e.Type == berthapi.Symlink:
		line += " -> " + e.Link
	case e.Link != "":
		line += " link to " + e.Link
	}
	return line
}

// lsMode is a file's type and mode as ls -l shows it.
func lsMode(e berthapi.Entry) string {
	letters := map[berthapi.Type]byte{
		berthapi.Dir: 'd', berthapi.Symlink: 'l', berthapi.CharDevice: 'c', berthapi.BlockDevice: 'b', berthapi.FIFO: 'p', berthapi.Socket: 's',
	}
	mode := []byte("-rwxrwxrwx")
	if l, ok := letters[e.Type]; ok {
		mode[0] = l
	}
	for i := range 9 {
		if e.Mode&(0o400>>i) == 0 {
			mode[i+1] = '-'
		}
	}
	// Set-user-ID, set-group-ID and sticky stand in the place of x; in capitals if there is none.
	for i, letter := range []byte("sst") {
		if e.Mode&(0o4000>>i) == 0 {
			continue
		}
		if at := 3 * (i + 1); mode[at] == 'x' {
			mode[at] = letter
		} else {
			mode[at] = letter - 'a' + 'A'
		}
	}
	return string(mode)
}

func newImageCat(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "cat TREE PATH",
		Short: "Print a file of an image, a layer or a container",
		Long:  "Print a file of an image, a layer or a container.\n" + treeHelp,
		Args:  args(2, 2, "image cat needs a tree and the path of a file"),
		RunE: func(c *cobra.Command, args []string) error {
			bc, done, err := a.berthClient(c.Context())
			if err != nil {
				return err
			}
			defer done()
			r, err := bc.TreeFile(c.Context(), args[0], args[1])
			if err != nil {
				return err
			}
			defer r.Close()
			_, err = io.Copy(a.out, r)
			return err
		},
	}
}

func newImageExtract(a *app) *cobra.Command {
	var name string
	layer := -1
	c := &cobra.Command{
		Use:   "extract [flags] TREE [PATH]",
		Short: "Write files of an image, a layer or a container to a tar archive",
		Long: `Write a file or directory of an image, a layer or a container, with all that is in
it, to a tar archive. With --layer, write that layer of an image as it is.
` + treeHelp,
		Args: args(1, 2, "image extract needs a tree"),
		RunE: func(c *cobra.Command, args []string) error {
			bc, done, err := a.berthClient(c.Context())
			if err != nil {
				return err
			}
			defer done()
			var r io.ReadCloser
			if layer >= 0 {
				r, err = bc.LayerTar(c.Context(), args[0], layer)
			} else {
				r, err = bc.TreeArchive(c.Context(), args[0], append(args, "/")[1])
			}
			if err != nil {
				return err
			}
			defer r.Close()
			w, finish, err := a.outputFile(name)
			if err != nil {
				return err
			}
			if _, err = io.Copy(w, r); err != nil {
				err = fmt.Errorf("writing the archive: %w", err)
			}
			return finish(err)
		},
	}
	c.Flags().StringVarP(&name, "output", "o", "", "write to this file instead of stdout")
	c.Flags().IntVar(&layer, "layer", -1, "the layer of this step of 'berth image layers', as its diff ID says")
	return c
}
