package tui

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/moby/moby/client"

	"berth/tui/feed"
	"berth/tui/keymap"
	"berth/tui/settings"
	"berth/tui/state"
	"berth/tui/text"
)

// ownCommand finds the command of the user's that a key means where the focus is.
func (m *model) ownCommand(key string) (settings.Command, bool) {
	for _, c := range m.ownCommands() {
		if c.Key == key {
			return c, true
		}
	}
	return settings.Command{}, false
}

// ownCommands are those of the user's that make sense where the focus is.
func (m *model) ownCommands() []settings.Command {
	var out []settings.Command
	own := m.pane().shape().scope
	for _, c := range m.opt.Commands {
		if c.Scope == own || c.Scope == keymap.Everywhere {
			out = append(out, c)
		}
	}
	return out
}

// commandMenu offers the user's commands.
func (m *model) commandMenu() {
	var choices []choice
	for i, c := range m.ownCommands() {
		key := strconv.Itoa(i + 1)
		if i >= 9 {
			key = " "
		}
		line, err := c.Line(m.values())
		if err != nil {
			line = err.Error()
		}
		label := c.Name
		if c.Key != "" {
			label += " (" + keymap.Pretty(c.Key) + ")"
		}
		choices = append(choices, choice{key, label, text.Clean(line), func() tea.Cmd { return m.runOwn(c) }})
	}
	if len(choices) == 0 {
		m.say("no command of yours is for " + string(m.pane().shape().scope) + ": 'berth config console' shows how to make some")
		return
	}
	m.overlay = newMenu("your commands", choices...)
}

// runOwn runs a command of the user's on the selected row, after asking if it is to.
func (m *model) runOwn(c settings.Command) tea.Cmd {
	if _, ok := m.pane().current(); !ok && c.Scope != keymap.Everywhere {
		m.fail(fmt.Errorf("%s: nothing is selected", c.Name))
		return nil
	}
	line, err := c.Line(m.values())
	if err != nil {
		m.fail(err)
		return nil
	}
	if c.Confirm {
		m.overlay = newMenu(c.Name+"?", choice{"y", "run", text.Clean(line), func() tea.Cmd { return m.launch(c, line) }})
		return nil
	}
	return m.launch(c, line)
}

// launch starts a command line in the way that the command wants.
func (m *model) launch(c settings.Command, line string) tea.Cmd {
	m.note(text.Clean(line))
	switch c.How {
	case settings.Pane:
		row, _ := m.conts.Current()
		m.setTab(tabShell)
		m.detail = true
		m.shell.SetContainer(row.ID, row.Name, row.Running())
		m.resizePanes()
		m.shell.Focus()
		return m.shell.OpenCommand(c.Name, []string{"sh", "-c", line}, append(os.Environ(), m.opt.EngineEnviron...))
	case settings.Background:
		m.say(c.Name + "…")
		return m.feed.Ask(feed.Done{Verb: "command", Past: "ran", Name: c.Name}, func(ctx context.Context, _ *client.Client) (string, error) {
			out, err := m.shellOf(ctx, line).CombinedOutput()
			return told(out), wordsOf(out, err)
		})
	}
	// The terminal is as the console has it: sane is how a program expects it.
	cmd := m.shellOf(m.feed.Context(), "stty sane; clear; "+line+"\nstatus=$?\nprintf '\\n[%s ended with %s: enter goes back to berth] ' "+quoted(c.Name)+" $status; read _; exit $status")
	return tea.Exec(&suspended{cmd: cmd, o: m.opt}, func(err error) tea.Msg {
		return feed.Done{Verb: "command", Past: "ran", Name: c.Name, Err: err}
	})
}

// shellOf is a shell that reads a line, and whose programs use the engine shown.
func (m *model) shellOf(ctx context.Context, line string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Env = append(os.Environ(), m.opt.EngineEnviron...)
	return cmd
}

// told is the last line that a command wrote.
func told(out []byte) string {
	lines := strings.Split(string(bytes.TrimSpace(out)), "\n")
	return lines[len(lines)-1]
}

// wordsOf is the error of a command, in its own words if it said some.
func wordsOf(out []byte, err error) error {
	if said := told(out); err != nil && said != "" {
		return fmt.Errorf("%s (%w)", said, err)
	}
	return err
}

// quoted is s as one word of a shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// values are what a template of a command can name, of the selected row.
func (m *model) values() settings.Values {
	v := settings.Values{Engine: m.opt.Host}
	if row, ok := m.pane().current(); ok {
		v.ID, v.Name = row.id, row.title
	}
	switch m.panel {
	case containers:
		if c, ok := m.conts.Current(); ok {
			v.ID, v.Name, v.Image, v.State, v.Project, v.Service = c.ID, c.Name, c.Image, string(c.State), c.Project, c.Service
		}
	case images:
		if i, ok := m.imgs.Current(); ok {
			v.ID, v.Name = i.ID, i.Ref()
		}
	case volumes:
		if vol, ok := m.vols.Current(); ok {
			v.ID, v.Name, v.Driver = vol.Name, vol.Name, vol.Driver
		}
	case networks:
		if n, ok := m.nets.Current(); ok {
			v.ID, v.Name, v.Driver = n.ID, n.Name, n.Driver
		}
	case ports:
		if p, ok := m.ports.Current(); ok {
			v = portValues(v, p)
		}
	}
	return v
}

// ownSection are the keys of the user's commands, for the help.
func (m *model) ownSection() section {
	out := section{title: "your commands"}
	for _, c := range m.opt.Commands {
		if c.Key != "" {
			out.rows = append(out.rows, helpRow{keys: keymap.Pretty(c.Key), what: c.Name + " (" + string(c.Scope) + ")"})
		}
	}
	return out
}

// portValues names a port, its container and where it is reached.
func portValues(v settings.Values, p state.Port) settings.Values {
	v.ID, v.Name, v.Container = p.Container, p.Name, p.Name
	v.Address, v.Port = p.Dial(), strconv.Itoa(int(p.Public))
	return v
}

// suspended is a command that has the terminal for itself.
type suspended struct {
	cmd *exec.Cmd
	o   Options
}

// Run gives the command the console's terminal until it ends.
func (s *suspended) Run() error {
	s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = s.o.Input, s.o.Output, s.o.Output
	return s.o.suspend(s.cmd.Run)
}

// SetStdin and the others are what Bubble Tea would give; the console's output is not its.
func (s *suspended) SetStdin(io.Reader)  {}
func (s *suspended) SetStdout(io.Writer) {}
func (s *suspended) SetStderr(io.Writer) {}

// tellProblems says what is wrong with the user's settings, one on the message line,
// all in the command log.
func (m *model) tellProblems() {
	for i := len(m.opt.Problems) - 1; i >= 0; i-- {
		m.fail(clean(m.opt.Problems[i]))
	}
	if n := len(m.opt.Problems); n > 1 {
		m.hint = fmt.Sprintf("%d problems in the settings (@ shows all): %s", n, m.hint)
	}
}
