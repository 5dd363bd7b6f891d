package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"berth/cmd/berth/contexts"
	"berth/cmd/berth/session"
)

func newContextExport(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "export NAME [FILE|-]", Short: "Write a context, keys included, to a tar", Args: args(1, 2, "context export needs a name"),
		Long: `Write a context, keys included, to a tar that 'berth context import' and docker read.
The file is NAME.dockercontext if none is named; "-" is stdout.`,
		RunE: func(_ *cobra.Command, names []string) error {
			name := names[0]
			if name == contexts.Default {
				return errors.New(`context "default" is this machine's engine and cannot be exported`)
			}
			to := name + ".dockercontext"
			if len(names) > 1 {
				to = names[1]
			}
			if to == "-" {
				if session.IsTerminal(a.outFile()) {
					return errors.New("a tar is not for a terminal: name a file, or redirect stdout")
				}
				return a.contextStore().Export(name, a.out)
			}
			// For nobody else to read: there may be a key in it.
			f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
			if err != nil {
				return fmt.Errorf("exporting context %q: %w", name, err)
			}
			if err := errors.Join(a.contextStore().Export(name, f), f.Close()); err != nil {
				return errors.Join(err, os.Remove(to))
			}
			fmt.Fprintf(a.err, "Written file %q\n", to)
			return nil
		},
	}
}

func newContextImport(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "import NAME FILE|-", Short: "Read a context that was exported", Args: args(2, 2, "context import needs a name and a file, or - for stdin"),
		RunE: func(_ *cobra.Command, names []string) error {
			in := io.NopCloser(a.in)
			if names[1] != "-" {
				f, err := os.Open(names[1])
				if err != nil {
					return fmt.Errorf("importing context %q: %w", names[0], err)
				}
				in = f
			}
			defer in.Close()
			if err := a.contextStore().Import(names[0], in); err != nil {
				return err
			}
			fmt.Fprintln(a.out, names[0])
			fmt.Fprintf(a.err, "Successfully imported context %q\n", names[0])
			return nil
		},
	}
}
