package tui

import (
	"context"
	"os/exec"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"berth/tui/paint"
	"berth/tui/text"
)

// clipboardPatience is how long a clipboard program may take to read what it is given.
const clipboardPatience = 3 * time.Second

// clipboards are the programs that fill a desktop's clipboard, with the variable
// that says that its display is there.
var clipboards = []struct {
	display string
	argv    []string
}{
	{"WAYLAND_DISPLAY", []string{"wl-copy"}},
	{"DISPLAY", []string{"xclip", "-selection", "clipboard"}},
	{"DISPLAY", []string{"xsel", "--clipboard", "--input"}},
}

// copied tells what filled the desktop's clipboard; nothing when there is none.
type copied struct {
	what, by string
	err      error
}

// copy puts text on the terminal's clipboard (OSC 52), and on that of the desktop
// when there is one: a terminal does not say whether it has obeyed.
func (m *model) copy(what, s string) tea.Cmd {
	what = text.Fit(what, min(text.Width(what), 60))
	m.say("copied " + what)
	environ, ctx := m.opt.Environ, m.feed.Context()
	return tea.Batch(func() tea.Msg { return paint.Clip(s) }, func() tea.Msg {
		by, err := fillClipboard(ctx, environ, s)
		return copied{what, by, err}
	})
}

// fillClipboard gives text to the first program that is there, of those whose
// display is; by is its name.
func fillClipboard(ctx context.Context, environ []string, s string) (by string, err error) {
	ctx, cancel := context.WithTimeout(ctx, clipboardPatience)
	defer cancel()
	for _, c := range clipboards {
		if valueIn(environ, c.display) == "" {
			continue
		}
		path, err := exec.LookPath(c.argv[0])
		if err != nil {
			continue
		}
		cmd := exec.CommandContext(ctx, path, c.argv[1:]...)
		cmd.Env, cmd.Stdin = environ, strings.NewReader(s)
		return c.argv[0], cmd.Run() // its outputs are closed: what stays to hold the clipboard holds nothing of ours
	}
	return "", nil
}

// valueIn is the value of a variable, the last one counting.
func valueIn(environ []string, name string) string {
	value := ""
	for _, kv := range environ {
		if v, ok := strings.CutPrefix(kv, name+"="); ok {
			value = v
		}
	}
	return value
}

// copiedBy says in the status line who has what was copied, unless that says
// something else by now.
func (m *model) copiedBy(msg copied) {
	if m.hint != "copied "+msg.what {
		return
	}
	switch {
	case msg.err != nil:
		m.say("copied " + msg.what + " to the terminal (OSC 52); " + msg.by + ": " + clean(msg.err).Error())
	case msg.by != "":
		m.say("copied " + msg.what + " (" + msg.by + ", and OSC 52)")
	default:
		m.say("copied " + msg.what + " to the terminal (OSC 52)")
	}
}
