package tui

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/moby/moby/client"

	"berth/tui/feed"
	"berth/tui/keymap"
	"berth/tui/state"
)

// onVolumes does the verbs of volumes.
func (m *model) onVolumes(a keymap.Action) (tea.Cmd, bool) {
	v, ok := m.vols.Current()
	if m.panel != volumes || !ok && a != keymap.NewVolume {
		return nil, false
	}
	switch a {
	case keymap.NewVolume:
		m.prompt("new volume", "data", "", func(s string) string { return "berth volume create " + s }, m.newVolume)
	case keymap.CloneVolume:
		m.prompt("clone "+v.Title(), "", v.Title()+"-copy", func(s string) string { return "berth volume clone " + v.Name + " " + s },
			func(to string) tea.Cmd {
				return m.order("berth volume clone "+v.Name+" "+to, feed.Done{Verb: "clone", Past: "cloned " + v.Title() + " to", Name: to},
					func(ctx context.Context, _ *client.Client) (string, error) {
						_, err := m.berth.VolumeClone(ctx, v.Name, to)
						return "", err
					})
			})
	case keymap.ExportVolume:
		m.prompt("export "+v.Title()+" to a file", "", v.Title()+".tar", func(s string) string { return "berth volume export -o " + s + " " + v.Name },
			func(file string) tea.Cmd { return m.exportVolume(v, file) })
	case keymap.ImportVolume:
		m.prompt("import a tar into "+v.Title(), "path of the file", "", func(s string) string { return "berth volume import -i " + s + " " + v.Name },
			func(file string) tea.Cmd { return m.importVolume(v, file) })
	case keymap.RemoveVolume:
		m.askRemoveVolumes()
	default:
		return nil, false
	}
	return nil, true
}

// newVolume makes a volume.
func (m *model) newVolume(name string) tea.Cmd {
	return m.order("berth volume create "+name, feed.Done{Verb: "create volume", Past: "made the volume", Name: name},
		func(ctx context.Context, c *client.Client) (string, error) {
			_, err := c.VolumeCreate(ctx, client.VolumeCreateOptions{Name: name})
			return "", err
		})
}

// askRemoveVolumes asks before volumes are lost; one in use is not offered.
func (m *model) askRemoveVolumes() {
	chosen := m.vols.Chosen()
	for _, v := range chosen {
		if users := m.state.UsersOf(v.Name); len(users) > 0 {
			m.fail(fmt.Errorf("%s is used by %s: remove that first", v.Title(), users[0].Container.Name))
			return
		}
	}
	names := things(len(chosen), chosen[0].Title(), "volumes")
	m.overlay = newMenu("remove "+names+" and the files in it?", choice{"y", "remove", "berth volume rm " + names, func() tea.Cmd {
		var cmds []tea.Cmd
		for _, v := range chosen {
			cmds = append(cmds, m.order("berth volume rm "+v.Name, feed.Done{Verb: "remove", Past: "removed", Name: v.Title()},
				func(ctx context.Context, c *client.Client) (string, error) {
					_, err := c.VolumeRemove(ctx, v.Name, client.VolumeRemoveOptions{})
					return "", err
				}))
		}
		m.vols.Clear()
		return tea.Batch(cmds...)
	}})
}

// exportVolume writes a volume into a file of this machine, which must not be there yet.
func (m *model) exportVolume(v state.Volume, file string) tea.Cmd {
	return m.save("berth volume export -o "+file+" "+v.Name, feed.Done{Verb: "export", Past: "exported", Name: v.Title()}, file,
		func(ctx context.Context, to *counter) error {
			from, err := m.berth.VolumeExport(ctx, v.Name)
			if err != nil {
				return err
			}
			defer from.Close()
			_, err = io.Copy(to, from)
			return err
		}, bytesWritten)
}

// importVolume unpacks a file of this machine into a volume.
func (m *model) importVolume(v state.Volume, file string) tea.Cmd {
	return m.order("berth volume import -i "+file+" "+v.Name, feed.Done{Verb: "import into", Past: "imported into", Name: v.Title()},
		func(ctx context.Context, _ *client.Client) (string, error) {
			path, err := homed(file)
			if err != nil {
				return "", err
			}
			from, err := os.Open(path)
			if err != nil {
				return "", fmt.Errorf("reading the archive: %w", err)
			}
			defer from.Close()
			_, err = m.berth.VolumeImport(ctx, v.Name, from, false)
			return "", err
		})
}

// homed writes "~/" out, as a shell would.
func homed(path string) (string, error) {
	rest, ok := strings.CutPrefix(path, "~/")
	if !ok {
		return path, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("finding your home directory: %w", err)
	}
	return filepath.Join(home, rest), nil
}
