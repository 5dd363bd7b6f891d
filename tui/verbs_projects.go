package tui

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/client"

	"berth/tui/feed"
	"berth/tui/keymap"
	"berth/tui/state"
)

// onProjects does the verbs of compose projects that are more than those of their
// containers.
func (m *model) onProjects(a keymap.Action) (tea.Cmd, bool) {
	p, ok := m.projs.Current()
	if m.panel != projects || !ok {
		return nil, false
	}
	switch a {
	case keymap.ComposeUp:
		return m.composeUp(p), true
	case keymap.ComposeDown:
		m.askDown(p)
		return nil, true
	}
	return nil, false
}

// composeUp has compose bring a project up from the files that it was made of, which
// only compose can read.
func (m *model) composeUp(p state.Project) tea.Cmd {
	if !m.near() || p.Dir == "" {
		m.fail(fmt.Errorf("up: the files of %s are not on this machine", p.Name))
		return nil
	}
	args := []string{"-p", p.Name}
	for _, f := range p.Files {
		args = append(args, "-f", f)
	}
	args = append(args, "up", "-d")
	env := append(os.Environ(), m.opt.EngineEnviron...)
	return m.startCarry("docker-compose "+strings.Join(args, " "), "up", "brought up", p.Name, func(ctx context.Context, _ *client.Client, say feed.Say) error {
		program, before, err := composeProgram(ctx)
		if err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, program, append(before, args...)...)
		cmd.Dir, cmd.Env = p.Dir, env
		cmd.Stdout = sayer(say)
		cmd.Stderr = cmd.Stdout
		return cmd.Run()
	})
}

// composeProgram is the compose that is installed: a program, or a verb of docker's.
func composeProgram(ctx context.Context) (program string, before []string, err error) {
	if path, err := exec.LookPath("docker-compose"); err == nil {
		return path, nil, nil
	}
	docker, err := exec.LookPath("docker")
	if err == nil && exec.CommandContext(ctx, docker, "compose", "version").Run() == nil {
		return docker, []string{"compose"}, nil
	}
	return "", nil, errors.New("compose is not installed here: only it can read the project's files")
}

// sayer hands on what a program prints.
type sayer feed.Say

// Write says a piece of output.
func (s sayer) Write(p []byte) (int, error) {
	s(jsonstream.Message{Stream: string(bytes.ReplaceAll(p, []byte("\r\n"), []byte("\n")))})
	return len(p), nil
}

// askDown asks before a project goes: its containers, then its networks; volumes stay,
// as with compose.
func (m *model) askDown(p state.Project) {
	command := "docker-compose -p " + p.Name + " down"
	m.overlay = newMenu("take "+p.Name+" down?", choice{"y", fmt.Sprintf("stop and remove %s, and its networks", things(len(p.Containers), "one container", "containers")), command, func() tea.Cmd {
		m.projs.Clear()
		for _, c := range p.Containers {
			m.state.SetBusy(c.ID, "stopping")
		}
		m.refresh()
		m.say("taking " + p.Name + " down…")
		return m.order(command, feed.Done{Verb: "down", Past: "took down", Name: p.Name}, func(ctx context.Context, c *client.Client) (string, error) {
			return takeDown(ctx, c, p)
		})
	}})
}

// takeDown stops all containers at once, removes them, and then the networks that
// compose made for them. What is gone already is as it should be.
func takeDown(ctx context.Context, c *client.Client, p state.Project) (told string, err error) {
	ended := make(chan error, len(p.Containers))
	for _, one := range p.Containers {
		go func() {
			_, err := c.ContainerStop(ctx, one.ID, client.ContainerStopOptions{})
			if err == nil {
				_, err = c.ContainerRemove(ctx, one.ID, client.ContainerRemoveOptions{})
			}
			if errdefs.IsNotFound(err) {
				err = nil
			}
			ended <- err
		}()
	}
	for range p.Containers {
		err = errors.Join(err, <-ended)
	}
	if err != nil {
		return "", err
	}
	nets, err := c.NetworkList(ctx, client.NetworkListOptions{Filters: client.Filters{}.Add("label", state.ComposeProject+"="+p.Name)})
	if err != nil {
		return "", err
	}
	for _, n := range nets.Items {
		if _, removal := c.NetworkRemove(ctx, n.ID, client.NetworkRemoveOptions{}); !errdefs.IsNotFound(removal) {
			err = errors.Join(err, removal)
		}
	}
	return fmt.Sprintf("with %s", things(len(nets.Items), "one network", "networks")), err
}
