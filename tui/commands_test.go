package tui

import (
	"errors"
	"slices"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"berth/tui/keymap"
	"berth/tui/tuitest"
)

// configured is offline with settings.
func configured(t *testing.T, text string) *model {
	t.Helper()
	m := offline(t, 120, 36)
	if problems := m.opt.Settings.Read("console.toml", []byte(text)); problems != nil {
		t.Fatal(problems)
	}
	m.keys = m.opt.Keys
	return m
}

func TestConfirmationIsByAction(t *testing.T) {
	m := configured(t, "[confirm]\nstop = true\nkill = false\n[keys.containers]\nstop = \"f8\"")
	press(m, "j", "j", "j", "s")
	if m.overlay != nil || m.hint != "" {
		t.Error("the old key still stops")
	}
	m.perform(keymap.Stop)
	shows(t, m, "stop web?", "y  stop")
	press(m, "n")
	if len(m.commands) != 0 {
		t.Errorf("no was taken for yes: %q", m.commands)
	}
	m.perform(keymap.Stop)
	press(m, "y")
	m.perform(keymap.Kill) // asks by itself, unless told not to
	if m.overlay != nil || len(m.commands) != 2 || !strings.Contains(m.commands[1], "berth kill web") {
		t.Errorf("kill without asking: %q, overlay %v", m.commands, m.overlay)
	}
	m.perform(keymap.Remove)
	shows(t, m, "remove web?")
}

func TestCommandsOfTheUsersOwn(t *testing.T) {
	m := configured(t, "[[commands]]\nname = \"look\"\ncommand = \"echo {{.Name}} {{.Image}}\"\nkey = \"f9\"\nrun = \"background\"\nconfirm = true\n"+
		"[[commands]]\nname = \"of volumes\"\nscope = \"volumes\"\ncommand = \"ls {{.Name}}\"")
	press(m, "j", "j", "j", "c")
	shows(t, m, "your commands", "look (f9)", "echo web nginx:1.27")
	hides(t, m, "of volumes")
	press(m, "1")
	shows(t, m, "look?")
	press(m, "y")
	if !slices.ContainsFunc(m.commands, func(s string) bool { return strings.Contains(s, "echo web nginx:1.27") }) {
		t.Errorf("the command log has %q", m.commands)
	}
	press(m, "4", "c")
	shows(t, m, "of volumes")
	press(m, "esc", "?")
	shows(t, m, "all keys")
	if s := m.ownSection(); len(s.rows) != 1 || s.rows[0] != (helpRow{keys: "f9", what: "look (containers)"}) {
		t.Errorf("help says %v", s.rows)
	}
	press(m, "esc", "6", "c")
	shows(t, m, "'berth config console' shows how to make some")
}

func TestProblemsOfTheSettingsAreToldAtTheStart(t *testing.T) {
	m := bare(t, 120, 36)
	m.opt.Problems = []error{errors.New("console.toml line 3: first"), errors.New("console.toml line 9: second")}
	m.tellProblems()
	shows(t, m, "2 problems in the settings (@ shows all): console.toml line 3: first")
	press(m, "@")
	shows(t, m, "line 9: second")
}

// Commands really run: on a terminal in the pane, on the whole one, and without.
func TestCommandsRun(t *testing.T) {
	e := newEngine(t)
	r := startWith(t, e, 100, 30, "[[commands]]\nname = \"in the pane\"\ncommand = \"echo pane {{.Name}} in $DOCKER_HOST; read x; echo got $x; read y\"\nkey = \"f7\"\nrun = \"pane\"\n"+
		"[[commands]]\nname = \"alone\"\ncommand = \"test -t 0 && echo alone with {{.Name}}\"\nkey = \"f8\"\n"+
		"[[commands]]\nname = \"quiet\"\ncommand = \"echo whispered {{.Name}}\"\nkey = \"f9\"\nrun = \"background\"")
	r.WaitFor("Containers 12")
	r.Press("j", "j", "j")
	r.WaitFor("▸ web")
	r.Press("f9")
	r.WaitFor("ran quiet whispered web")
	r.Press("f8")
	r.WaitFor("alone with web", "[alone ended with 0: enter goes back to berth]")
	r.Press("enter")
	r.WaitFor("Containers 12", "ran alone")
	r.Press("f7")
	r.WaitFor("pane web in unix://the-engine")
	r.Type("word")
	r.Press("enter")
	r.WaitFor("got word")
	r.Press("enter")
	r.WaitFor("ended with exit status 0")
}

// A theme of true colours is under every cell, also in the list that a light
// terminal would show on white.
func TestTheThemeIsUnderTheWholeScreen(t *testing.T) {
	m := configured(t, "theme = \"light\"")
	m.setProfile(0xff)
	for _, line := range strings.Split(m.View().Content, "\n") {
		if !strings.HasPrefix(line, string(m.opt.Theme.Base)) || strings.Contains(strings.ReplaceAll(line, "\x1b[m"+string(m.opt.Theme.Base), ""), "\x1b[m\x1b[m") {
			t.Fatalf("%q is not on the base", line)
		}
	}
}

// startWith is start with settings of the user's.
func startWith(t *testing.T, e *engine, width, height int, text string) *tuitest.Robot {
	t.Helper()
	t.Setenv(settingsEnv, text)
	return start(t, e, width, height)
}

func TestThePaletteHasTheUsersCommands(t *testing.T) {
	m := configured(t, "[[commands]]\nname = \"look closer\"\ncommand = \"echo {{.Name}}\"\nkey = \"f9\"\nrun = \"background\"\n"+
		"[[commands]]\nname = \"of volumes\"\nscope = \"volumes\"\ncommand = \"ls {{.Name}}\"")
	press(m, "j", "j", "j", ":", "c", "l", "o", "s", "e", "r")
	shows(t, m, "look closer", "your command: echo web", "f9")
	press(m, "enter")
	if m.overlay != nil || !slices.ContainsFunc(m.commands, func(s string) bool { return strings.HasSuffix(s, "echo web") }) {
		t.Errorf("the command log has %q", m.commands)
	}
	press(m, ":", "v", "o", "l", "u", "m", "e", "s")
	hides(t, m, "of volumes")
}

func TestTheMouseCanBeLeftToTheTerminal(t *testing.T) {
	if m := configured(t, "mouse = false"); m.View().MouseMode != tea.MouseModeNone {
		t.Error("the console wants the mouse")
	}
	if m := configured(t, "mouse = true"); m.View().MouseMode == tea.MouseModeNone {
		t.Error("the console does not want the mouse")
	}
}
