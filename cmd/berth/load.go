package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/moby/moby/client"
	"github.com/moby/moby/client/pkg/jsonmessage"
	"github.com/spf13/cobra"

	"berth/cmd/berth/session"
)

func newLoad(a *app) *cobra.Command {
	var input string
	var quiet bool
	c := &cobra.Command{
		Use:   "load [flags]",
		Short: "Bring in images from a tar archive (docker save or OCI layout)",
		Args:  args(0, 0, "load takes no arguments; name the archive with -i"),
		RunE: func(c *cobra.Command, _ []string) error {
			in, err := a.inputFile(input, "an image archive is needed: name it with -i or pipe it in")
			if err != nil {
				return err
			}
			defer in.Close()
			cl, err := a.client(c.Context())
			if err != nil {
				return err
			}
			res, err := cl.ImageLoad(c.Context(), in, client.ImageLoadWithQuiet(quiet || !session.IsTerminal(a.outFile())))
			if err != nil {
				return engineGone("images were loaded", err)
			}
			defer res.Close()
			return engineGone("images were loaded", a.progress(res))
		},
	}
	c.Flags().StringVarP(&input, "input", "i", "", "read this file instead of stdin")
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "show no progress")
	return c
}

// inputFile opens name, or stdin when it is empty or "-"; stdin must not be a
// terminal, since nobody types an archive.
func (a *app) inputFile(name, needed string) (io.ReadCloser, error) {
	if name != "" && name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		return f, nil
	}
	if a.in == nil || session.IsTerminal(a.in) {
		return nil, errors.New(needed)
	}
	return io.NopCloser(a.in), nil
}

// outputFile opens name for writing, or takes stdout, which must not be a
// terminal. done must be called with the error of what was written: it closes
// the file, and removes it when it is not whole.
func (a *app) outputFile(name string) (w io.Writer, done func(error) error, err error) {
	if name == "" || name == "-" {
		if session.IsTerminal(a.outFile()) {
			return nil, nil, errors.New("an archive does not belong on a terminal: name a file with -o or redirect stdout")
		}
		return a.out, func(err error) error { return err }, nil
	}
	// Written beside the name and renamed, so that a broken archive never
	// takes the place of a whole one.
	part := name + ".part"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, nil, err
	}
	return f, func(err error) error {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
		if err == nil {
			err = os.Rename(part, name)
		}
		if err != nil {
			os.Remove(part)
		}
		return err
	}, nil
}

// writeArchive writes the stream that open gives to outputFile's name.
func (a *app) writeArchive(name string, open func() (io.ReadCloser, error)) error {
	w, done, err := a.outputFile(name)
	if err != nil {
		return err
	}
	r, err := open()
	if err != nil {
		return done(err)
	}
	defer r.Close()
	if _, err = io.Copy(w, r); err != nil {
		err = fmt.Errorf("writing the archive: %w", err)
	}
	return done(err)
}

// progress shows the engine's progress messages; an error among them is
// returned.
func (a *app) progress(r io.Reader) error {
	f := a.outFile()
	var fd uintptr
	if f != nil {
		fd = f.Fd()
	}
	if err := jsonmessage.DisplayJSONMessagesStream(r, a.out, fd, session.IsTerminal(f), nil); err != nil {
		return fmt.Errorf("%w", err)
	}
	return nil
}
