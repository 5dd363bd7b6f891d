//go:build !client

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	bk "github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session/filesync"

	"berth/cmd/berth/session"
)

// exportImage is what docker's engines call the output into their images.
const exportImage = "moby"

// buildOutputs reads --output, --load and --push.
func (a *app) buildOutputs(o *buildOptions) ([]bk.ExportEntry, error) {
	list := o.outputs
	if o.push {
		list = append(list, "type=image,push=true")
	}
	if o.load && len(list) > 0 {
		list = append(list, "type=docker")
	}
	if len(list) == 0 {
		list = []string{"type=docker"}
	}
	var all []bk.ExportEntry
	for _, text := range list {
		e, err := a.buildOutput(o, text)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

// buildOutput reads one --output.
func (a *app) buildOutput(o *buildOptions, text string) (bk.ExportEntry, error) {
	f, err := fields("output", text)
	if err != nil {
		return bk.ExportEntry{}, err
	}
	if dest, bare := f[""]; bare {
		// A directory, or a tar for stdout.
		f = map[string]string{"type": "local", "dest": dest}
		if dest == "-" {
			f["type"] = "tar"
		}
	}
	kind, dest := f["type"], f["dest"]
	delete(f, "type")
	delete(f, "dest")
	e := bk.ExportEntry{Type: kind, Attrs: f}
	named := func() {
		if _, ok := f["name"]; !ok && len(o.tags) > 0 {
			f["name"] = strings.Join(o.tags, ",")
		}
	}
	switch kind {
	case "local":
		if dest == "" || dest == "-" {
			return e, errors.New("--output type=local needs dest=DIRECTORY")
		}
		e.OutputDir = dest
	case "docker", "image":
		named()
		if kind == "docker" && dest == "" {
			e.Type = exportImage
			break
		}
		if kind == "docker" {
			e.Output, err = a.outputTo(dest)
		}
	case "tar", "oci":
		if kind == "oci" {
			named()
		}
		if f["tar"] == "false" {
			e.OutputDir = dest
			break
		}
		e.Output, err = a.outputTo(dest)
	case "cacheonly":
		return e, errors.New("--output type=cacheonly is not supported: the steps are kept anyway")
	default:
		return e, fmt.Errorf("--output %s: the type is local, tar, oci, docker or image", text)
	}
	return e, err
}

// outputTo opens the file of an output when it is there; "" and "-" are stdout.
func (a *app) outputTo(dest string) (filesync.FileOutputFunc, error) {
	if dest == "" || dest == "-" {
		if session.IsTerminal(a.outFile()) {
			return nil, errors.New("an archive does not belong on a terminal: name a file with dest= or redirect stdout")
		}
		return func(map[string]string) (io.WriteCloser, error) { return nopWriteCloser{a.out}, nil }, nil
	}
	return func(map[string]string) (io.WriteCloser, error) { return os.Create(dest) }, nil
}

type nopWriteCloser struct{ io.Writer }

func (nopWriteCloser) Close() error { return nil }
