package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/docker/go-units"
	archive "github.com/moby/go-archive"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"berth/tui/feed"
	"berth/tui/form"
	"berth/tui/keymap"
	"berth/tui/state"
)

// onContainers does the verbs that ask something about the selected container.
func (m *model) onContainers(a keymap.Action) (tea.Cmd, bool) {
	c, ok := m.current()
	if !ok {
		return nil, false
	}
	switch a {
	case keymap.Rename:
		command := func(s string) string { return "berth rename " + c.Name + " " + s }
		m.prompt("rename "+c.Name, "its new name", c.Name, command, func(name string) tea.Cmd {
			return m.order(command(name), feed.Done{Verb: "rename", Past: "renamed " + c.Name + " to", Name: name}, func(ctx context.Context, cl *client.Client) (string, error) {
				_, err := cl.ContainerRename(ctx, c.ID, client.ContainerRenameOptions{NewName: name})
				return "", err
			})
		})
	case keymap.Export:
		command := func(s string) string { return "berth export -o " + s + " " + c.Name }
		m.prompt("export the files of "+c.Name+" to a tar", "path of the file", c.Name+".tar", command, func(file string) tea.Cmd { return m.exportContainer(c, command(file), file) })
	case keymap.CopyOut:
		command := func(s string) string { return "berth cp " + c.Name + ":" + s }
		m.prompt("copy out of "+c.Name, "path in it, then where to: /etc/nginx ./here", "", command, func(s string) tea.Cmd { return m.copyFiles(c, command(s), s, copyOut) })
	case keymap.CopyIn:
		command := func(s string) string {
			from, to, _ := strings.Cut(strings.TrimSpace(s), " ")
			return "berth cp " + from + " " + c.Name + ":" + strings.TrimSpace(to)
		}
		m.prompt("copy into "+c.Name, "path here, then where to in it: ./site /usr/share/nginx", "", command, func(s string) tea.Cmd { return m.copyFiles(c, command(s), s, copyIn) })
	case keymap.Limits:
		command := func(s string) string { return "berth update " + s + " " + c.Name }
		m.prompt("limits of "+c.Name, "-m 512m --cpus 1.5 --pids-limit 100 --restart always; 0 is none", "", command, func(s string) tea.Cmd { return m.limit(c, command(s), s) })
	default:
		return nil, false
	}
	return nil, true
}

// exportContainer writes the files of a container into a new file of this machine.
func (m *model) exportContainer(c state.Container, command, file string) tea.Cmd {
	return m.startCarry(command, "export", "exported to "+file+":", c.Name, func(ctx context.Context, cl *client.Client, say feed.Say) error {
		path, err := homed(file)
		if err != nil {
			return err
		}
		_, err = create(path, func(to *counter) error {
			res, err := cl.ContainerExport(ctx, c.ID, client.ContainerExportOptions{})
			if err != nil {
				return err
			}
			defer res.Close()
			_, err = io.Copy(to, feed.Counted(res, filepath.Base(path), "Saving", 0, say))
			return err
		})
		return err
	})
}

// copyFiles copies between this machine and a container; s is the two paths.
func (m *model) copyFiles(c state.Container, command, s string, do func(ctx context.Context, cl *client.Client, id, from, to string, say feed.Say) error) tea.Cmd {
	words, err := form.Words(s)
	if err == nil && len(words) != 2 {
		err = errors.New("it needs two paths: from where, and to where")
	}
	if err != nil {
		m.fail(fmt.Errorf("copy: %w", err))
		return nil
	}
	return m.startCarry(command, "copy", "copied", words[0]+" → "+words[1], func(ctx context.Context, cl *client.Client, say feed.Say) error {
		return do(ctx, cl, c.ID, words[0], words[1], say)
	})
}

// copyOut copies a path of a container to one of this machine.
func copyOut(ctx context.Context, cl *client.Client, id, from, to string, say feed.Say) error {
	to, err := local(to)
	if err != nil {
		return err
	}
	res, err := cl.CopyFromContainer(ctx, id, client.CopyFromContainerOptions{SourcePath: from})
	if err != nil {
		return err
	}
	defer res.Content.Close()
	info := archive.CopyInfo{Path: from, Exists: true, IsDir: res.Stat.Mode.IsDir()}
	return archive.CopyTo(feed.Counted(res.Content, path.Base(from), "Saving", res.Stat.Size, say), info, to)
}

// copyIn copies a path of this machine to one of a container, into which it goes
// when that is a directory.
func copyIn(ctx context.Context, cl *client.Client, id, from, to string, say feed.Say) error {
	from, err := local(from)
	if err != nil {
		return err
	}
	source, err := archive.CopyInfoSourcePath(from, false)
	if err != nil {
		return err
	}
	into := archive.CopyInfo{Path: to}
	if res, err := cl.ContainerStatPath(ctx, id, client.ContainerStatPathOptions{Path: to}); err == nil {
		if res.Stat.Mode&os.ModeSymlink != 0 {
			if into.Path = res.Stat.LinkTarget; !path.IsAbs(into.Path) {
				into.Path = path.Join(path.Dir(to), into.Path)
			}
			res, err = cl.ContainerStatPath(ctx, id, client.ContainerStatPathOptions{Path: into.Path})
		}
		into.Exists, into.IsDir = err == nil, res.Stat.Mode.IsDir()
	}
	tar, err := archive.TarResource(source)
	if err != nil {
		return err
	}
	defer tar.Close()
	dir, content, err := archive.PrepareArchiveCopy(tar, source, into)
	if err != nil {
		return err
	}
	defer content.Close()
	_, err = cl.CopyToContainer(ctx, id, client.CopyToContainerOptions{DestinationPath: dir, Content: feed.Counted(content, filepath.Base(from), "Sending", 0, say)})
	return err
}

// local makes a path of this machine whole and keeps what its end means.
func local(name string) (string, error) {
	name, err := homed(name)
	if err != nil {
		return "", err
	}
	full, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	return archive.PreserveTrailingDotOrSeparator(full, name), nil
}

// limit changes what a container may use.
func (m *model) limit(c state.Container, command, s string) tea.Cmd {
	o, err := parseLimits(s)
	if err != nil {
		m.fail(fmt.Errorf("limits: %w", err))
		return nil
	}
	return m.order(command, feed.Done{Verb: "update", Past: "changed the limits of", Name: c.Name}, func(ctx context.Context, cl *client.Client) (string, error) {
		res, err := cl.ContainerUpdate(ctx, c.ID, o)
		return strings.Join(res.Warnings, "; "), err
	})
}

// parseLimits reads the flags of "berth update" that people use.
func parseLimits(s string) (client.ContainerUpdateOptions, error) {
	words, err := form.Words(strings.ReplaceAll(s, "=", " "))
	var o client.ContainerUpdateOptions
	if err != nil {
		return o, err
	}
	if len(words) == 0 || len(words)%2 != 0 {
		return o, errors.New("options with their values are needed, such as -m 512m")
	}
	r := &container.Resources{}
	for ; len(words) > 0; words = words[2:] {
		name, value := words[0], words[1]
		switch name {
		case "-m", "--memory":
			if r.Memory, err = units.RAMInBytes(value); r.Memory == 0 {
				r.Memory = -1
			}
			r.MemorySwap = -1 // else a limit above that of the swap is refused
		case "--cpus":
			var n float64
			n, err = strconv.ParseFloat(value, 64)
			r.NanoCPUs = int64(n * 1e9)
		case "--cpu-shares", "-c":
			r.CPUShares, err = strconv.ParseInt(value, 10, 64)
		case "--pids-limit":
			var n int64
			if n, err = strconv.ParseInt(value, 10, 64); n == 0 {
				n = -1
			}
			r.PidsLimit = &n
		case "--restart":
			mode, count, _ := strings.Cut(value, ":")
			p := container.RestartPolicy{Name: container.RestartPolicyMode(mode)}
			if count != "" {
				p.MaximumRetryCount, err = strconv.Atoi(count)
			}
			if err == nil {
				err = container.ValidateRestartPolicy(p)
			}
			o.RestartPolicy = &p
		default:
			return o, fmt.Errorf("%s is not known here: -m, --cpus, --cpu-shares, --pids-limit and --restart are", name)
		}
		if err != nil {
			return o, fmt.Errorf("%s %s: %w", name, value, err)
		}
	}
	o.Resources = r
	return o, nil
}
