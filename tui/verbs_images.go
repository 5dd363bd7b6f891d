package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	tea "charm.land/bubbletea/v2"
	archive "github.com/moby/go-archive"
	"github.com/moby/moby/client"
	"github.com/moby/patternmatcher/ignorefile"

	"berth/tui/feed"
	"berth/tui/form"
	"berth/tui/keymap"
	"berth/tui/state"
)

// onImages does the verbs of images that move files of this machine.
func (m *model) onImages(a keymap.Action) (tea.Cmd, bool) {
	switch a {
	case keymap.Build:
		return m.askBuild(), true
	case keymap.Starter:
		return m.makeStarter(), true
	case keymap.Load:
		m.prompt("load images from a tar", "path of the file", "", func(s string) string { return "berth load -i " + s }, m.loadImages)
	case keymap.SaveImage:
		chosen := m.imgs.Chosen()
		if m.panel != images || len(chosen) == 0 {
			return nil, true
		}
		file := "images.tar"
		if len(chosen) == 1 {
			file = strings.NewReplacer("/", "-", ":", "-", "<none> ", "").Replace(chosen[0].Title()) + ".tar"
		}
		m.prompt("save "+things(len(chosen), chosen[0].Title(), "images")+" to a file", "path of the file", file,
			func(s string) string { return saveCommand(chosen, s) }, func(s string) tea.Cmd { return m.saveImages(chosen, s) })
	default:
		return nil, false
	}
	return nil, true
}

// saveCommand is the command line that saves images.
func saveCommand(chosen []state.Image, file string) string {
	s := "berth save -o " + file
	for _, i := range chosen {
		s += " " + i.Ref()
	}
	return s
}

// saveImages writes images into a new file of this machine. How large that gets
// is not known beforehand: layers may be shared, so it is at most the sum.
func (m *model) saveImages(chosen []state.Image, file string) tea.Cmd {
	var refs []string
	var total int64
	for _, i := range chosen {
		refs = append(refs, i.Ref())
		total += i.Size
	}
	m.imgs.Clear()
	return m.startCarry(saveCommand(chosen, file), "save", "saved to "+file+":", things(len(chosen), chosen[0].Title(), "images"), func(ctx context.Context, c *client.Client, say feed.Say) error {
		path, err := homed(file)
		if err != nil {
			return err
		}
		_, err = create(path, func(to *counter) error {
			res, err := c.ImageSave(ctx, refs)
			if err != nil {
				return err
			}
			defer res.Close()
			_, err = io.Copy(to, feed.Counted(res, filepath.Base(path), "Saving", total, say))
			return err
		})
		return err
	})
}

// loadImages reads images from a file of this machine.
func (m *model) loadImages(file string) tea.Cmd {
	return m.startCarry("berth load -i "+file, "load", "loaded", file, func(ctx context.Context, c *client.Client, say feed.Say) error {
		path, err := homed(file)
		if err != nil {
			return err
		}
		from, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("reading the archive: %w", err)
		}
		defer from.Close()
		info, err := from.Stat()
		if err != nil {
			return err
		}
		res, err := c.ImageLoad(ctx, feed.Counted(from, filepath.Base(path), "Loading", info.Size(), say))
		if err != nil {
			return err
		}
		defer res.Close()
		return feed.FollowBody(res, say)
	})
}

// build has the engine build an image from a directory of this machine.
func (m *model) build(spec form.BuildSpec) tea.Cmd {
	b := spec.Options()
	dir, err := homed(spec.Context)
	if err != nil {
		m.fail(fmt.Errorf("build: %w", err))
		return nil
	}
	name := spec.Context
	if len(b.Tags) > 0 {
		name = b.Tags[0]
	}
	return m.startCarry(spec.Line(), "build", "built", name, func(ctx context.Context, c *client.Client, say feed.Say) error {
		content, err := buildContext(dir, b.Dockerfile)
		if err != nil {
			return err
		}
		defer content.Close()
		res, err := c.ImageBuild(ctx, feed.Counted(content, "context", "Sending", 0, say), b)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		return feed.FollowBody(res.Body, say)
	})
}

// buildContext packs the files of a build, but for those that .dockerignore
// names. The Dockerfile must be among them.
func buildContext(dir, dockerfile string) (io.ReadCloser, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("reading the context: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is no directory", dir)
	}
	if dockerfile == "" {
		dockerfile = "Dockerfile"
	}
	if _, err := os.Stat(filepath.Join(dir, dockerfile)); err != nil {
		return nil, fmt.Errorf("there is no %s in %s: name another one, relative to it", dockerfile, dir)
	}
	var leave []string
	switch f, err := os.Open(filepath.Join(dir, ".dockerignore")); {
	case err == nil:
		leave, err = ignorefile.ReadAll(f)
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, fmt.Errorf("reading .dockerignore: %w", err)
		}
		leave = append(leave, "!.dockerignore", "!"+dockerfile)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("reading .dockerignore: %w", err)
	}
	return archive.TarWithOptions(dir, &archive.TarOptions{ExcludePatterns: leave})
}
