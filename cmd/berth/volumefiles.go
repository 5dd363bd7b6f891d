package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"berth/cmd/berth/output"
	"berth/engine/api/berthapi"
)

// fileRow is a line of volume ls VOLUME.
type fileRow struct{ Mode, User, Size, Modified, Name string }

// splitVolume splits VOLUME[:PATH].
func splitVolume(s string) (name, path string) {
	name, path, _ = strings.Cut(s, ":")
	if path == "" {
		path = "/"
	}
	return name, path
}

// listFiles prints what is in a directory of a volume.
func (a *app) listFiles(c *cobra.Command, of, format string, quiet bool) error {
	bc, done, err := a.berthClient(c.Context())
	if err != nil {
		return err
	}
	defer done()
	name, path := splitVolume(of)
	var rows []fileRow
	for e, err := range bc.VolumeEntries(c.Context(), name, path) {
		if err != nil {
			return err
		}
		row := fileRow{
			Mode: lsMode(e), User: strconv.Itoa(e.UID) + ":" + strconv.Itoa(e.GID), Size: output.Size(e.Size),
			Modified: e.ModTime.Local().Format(time.DateTime), Name: printable(e.Path[strings.LastIndexByte(e.Path, '/')+1:]),
		}
		if e.Type != berthapi.File {
			row.Size = "-"
		}
		if e.Link != "" && !quiet {
			row.Name += " -> " + printable(e.Link)
		}
		rows = append(rows, row)
	}
	if quiet && format == "" {
		format = "{{.Name}}"
	}
	return output.Rows(a.out, output.Spec{
		Format:  format,
		Headers: output.Headers{"Mode": "MODE", "User": "USER", "Size": "SIZE", "Modified": "MODIFIED", "Name": "NAME"},
		Table:   "{{.Mode}}\t{{.User}}\t{{.Size}}\t{{.Modified}}\t{{.Name}}",
	}, rows)
}

// printable shows a name that could drive a terminal as it would be written in a program.
func printable(name string) string {
	if quoted := strconv.Quote(name); quoted[1:len(quoted)-1] != name {
		return quoted
	}
	return name
}

func newVolumeCat(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "cat VOLUME:PATH",
		Short: "Print a file of a volume",
		Args:  args(1, 1, "volume cat needs VOLUME:PATH"),
		RunE: func(c *cobra.Command, refs []string) error {
			bc, done, err := a.berthClient(c.Context())
			if err != nil {
				return err
			}
			defer done()
			name, path := splitVolume(refs[0])
			r, err := bc.VolumeFile(c.Context(), name, path)
			if err != nil {
				return err
			}
			defer r.Close()
			_, err = io.Copy(a.out, r)
			return err
		},
	}
}

func newVolumeExport(a *app) *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "export [flags] VOLUME",
		Short: "Write what a volume holds to a tar archive",
		Args:  args(1, 1, "volume export needs a volume"),
		RunE: func(c *cobra.Command, refs []string) error {
			bc, done, err := a.berthClient(c.Context())
			if err != nil {
				return err
			}
			defer done()
			return a.writeArchive(file, func() (io.ReadCloser, error) { return bc.VolumeExport(c.Context(), refs[0]) })
		},
	}
	c.Flags().StringVarP(&file, "output", "o", "", "write to this file instead of stdout")
	return c
}

func newVolumeImport(a *app) *cobra.Command {
	var file string
	var force bool
	c := &cobra.Command{
		Use:   "import [flags] VOLUME [FILE]",
		Short: "Fill a volume from a tar archive, making it if it is not there",
		Args:  args(1, 2, "volume import needs a volume, and may have a file"),
		RunE: func(c *cobra.Command, refs []string) error {
			if len(refs) == 2 && refs[1] != "-" {
				file = refs[1]
			}
			in, err := a.inputFile(file, "an archive is needed: name it or pipe it in")
			if err != nil {
				return err
			}
			defer in.Close()
			bc, done, err := a.berthClient(c.Context())
			if err != nil {
				return err
			}
			defer done()
			v, err := bc.VolumeImport(c.Context(), refs[0], in, force)
			if err != nil {
				return err
			}
			fmt.Fprintln(a.out, v.Name)
			return nil
		},
	}
	c.Flags().StringVarP(&file, "input", "i", "", "read this file instead of stdin")
	c.Flags().BoolVarP(&force, "force", "f", false, "also over what the volume holds, and while containers use it")
	return c
}

func newVolumeClone(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "clone VOLUME NEW",
		Short: "Make a volume with what another one holds",
		Args:  args(2, 2, "volume clone needs a volume and a name for the new one"),
		RunE: func(c *cobra.Command, names []string) error {
			bc, done, err := a.berthClient(c.Context())
			if err != nil {
				return err
			}
			defer done()
			v, err := bc.VolumeClone(c.Context(), names[0], names[1])
			if err != nil {
				return err
			}
			fmt.Fprintln(a.out, v.Name)
			return nil
		},
	}
}
