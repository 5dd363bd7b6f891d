package settings

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"berth/tui/keymap"
	"berth/tui/theme"
)

// read reads text as a file over the built-in settings.
func read(t *testing.T, text string) (Settings, string) {
	t.Helper()
	s := Default()
	var said []string
	for _, err := range s.Read("console.toml", []byte(text)) {
		said = append(said, err.Error())
	}
	return s, strings.Join(said, "\n")
}

func TestTheExampleIsRightAndSaysWhatItDoes(t *testing.T) {
	s, said := read(t, Example)
	if said != "" {
		t.Fatal(said)
	}
	dark, _ := theme.Named("dark")
	if s.Theme.Base != "\x1b[38;2;208;215;222;48;2;13;27;42m" || s.Theme.Accent != "\x1b[1;38;2;255;175;0m" || s.Theme.Good != dark.Good {
		t.Errorf("theme %+q", s.Theme)
	}
	if b, _ := s.Keys.Of(keymap.Stop, keymap.Containers); !slices.Equal(b.Keys, []string{"s", "f8"}) {
		t.Errorf("stop has %q", b.Keys)
	}
	if b, _ := s.Keys.Of(keymap.Stop, keymap.Projects); !slices.Equal(b.Keys, []string{"s"}) {
		t.Errorf("stop of projects has %q", b.Keys)
	}
	if b, _ := keymap.Default().Of(keymap.Kill); len(b.Keys) == 0 {
		t.Error("the built-in keys were changed")
	}
	if !s.Confirm[keymap.Stop] || s.Confirm[keymap.Kill] {
		t.Errorf("confirm %v", s.Confirm)
	}
	line, err := s.Commands[0].Line(Values{ID: "abc", Name: "web"})
	if err != nil || line != "berth exec -it abc top" || s.Commands[0].How != Pane || s.Commands[1].Scope != keymap.Images || !s.Commands[1].Confirm {
		t.Errorf("%q %v %+v", line, err, s.Commands)
	}
}

// Each mistake names its line and what to write; the rest of the file counts.
func TestMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"\ntheme = \"drak\"":                                            "console.toml line 2: there is no theme \"drak\"; did you mean dark?",
		"them = \"dark\"":                                               "line 1: there is no setting \"them\"; did you mean theme?",
		"theme = [":                                                     "nothing of this file counts",
		"[keys.container]\nstop = \"f5\"":                               "line 1: there is no scope \"container\"; did you mean containers?",
		"[keys.containers]\nquit = \"f5\"":                              "line 2: there is no action \"quit\" in containers; it is one of [keys.everywhere]",
		"[keys.containers]\nstop = \"Ctrl+S\"":                          "line 2: stop: no key is called \"Ctrl+S\"",
		"[keys.containers]\nstop = \"shift+s\"":                         "arrives as a capital: write \"S\"",
		"[keys.containers]\n\nstop = [\"r\"]":                           "line 3: \"r\" is restart's key already, in containers: give stop another one, or write restart = [] below [keys.containers]",
		"[keys.containers]\nstop = \"q\"":                               "\"q\" is quit's key already, in everywhere",
		"[keys.everywhere]\ninterrupt = []":                             "interrupt keeps its key",
		"[keys.shell]\nleader = []":                                     "leader keeps its key",
		"[keys.layers]\nfold = \"a\"":                                   "\"a\" is attach's key already, in containers",
		"[keys.layers]\nfold = \"u\"":                                   "\"u\" is union's key already, in layers",
		"[keys.layer]\nfold = \"u\"":                                    "did you mean layers?",
		"mouse = 1":                                                     "mouse must be true or false",
		"[keys.containers]\nstop = 5":                                   "must be a string or a list",
		"[confirm]\nstop = \"yes\"":                                     "line 2: confirm.stop must be true or false",
		"[confirm]\nzoom = true":                                        "no action called \"zoom\" does anything that could be asked about",
		"[themes.x]\nlike = \"drak\"\n[themes.y]\nacent = \"red\"":      "line 4: a theme has no style \"acent\"; did you mean accent?",
		"[themes.x]\nbad = \"very red\"":                                "line 2: bad: \"very red\" is no style",
		"[[commands]]\nname = \"x\"\ncommand = \"ls {{.Idd}}\"":         "line 3: \"ls {{.Idd}}\" is no command",
		"[[commands]]\ncommand = \"ls\"":                                "line 1: a command needs a name and a command",
		"[[commands]]\nname = \"a\"\ncommand = \"ls\"\nkey = \"s\"":     "\"s\" is stop's key already, in containers: give the command \"a\" another one",
		"[[commands]]\nname = \"a\"\ncommand = \"ls\"\nrun = \"x\"":     "line 4: a command cannot run in \"x\"",
		"[[commands]]\nname = \"a\"\ncommand = \"ls\"\nkind = \"pane\"": "line 4: a command has no \"kind\"",
		"[[commands]]\nname = \"a\"\ncommand = \"ls\"\nkey = \"f5\"\n[[commands]]\nname = \"b\"\ncommand = \"ls\"\nkey = \"f5\"": "line 5: \"f5\" is the key of the command \"a\" already",
		"[[commands]]\nname = \"a\"\ncommand = \"ls\"\nscope = \"images\"\nrun = \"pane\"":                                       "line 5: only containers have a pane",
	} {
		if _, said := read(t, text); !strings.Contains(said, want) {
			t.Errorf("%q:\n says %q\n want %q", text, said, want)
		}
	}
	s, _ := read(t, "theme = \"light\"\n[keys.containers]\nstop = \"r\"\npause = \"f6\"")
	light, _ := theme.Named("light")
	if b, _ := s.Keys.Of(keymap.Pause, keymap.Containers); s.Theme != light || !slices.Equal(b.Keys, []string{"f6"}) {
		t.Error("what was right did not count")
	}
	if b, _ := s.Keys.Of(keymap.Restart, keymap.Containers); !slices.Equal(b.Keys, []string{"r"}) {
		t.Error("who had the key lost it")
	}
}

func TestThePanesAndTheMouse(t *testing.T) {
	s, said := read(t, "mouse = false\n[keys.shell]\nleader = \"ctrl+a\"\nnew-session = \"s\"\n[keys.layers]\nfold = \"s\"\n")
	if b, _ := s.Keys.Of(keymap.Leader, keymap.Shell); said != "" || !slices.Equal(b.Keys, []string{"ctrl+a"}) || !s.NoMouse {
		t.Errorf("%s %+v", said, b)
	}
	if s.Read("over.toml", []byte("mouse = true")); s.NoMouse {
		t.Error("the file that counts more has the mouse")
	}
}

// A swap is no conflict: each key has one action afterwards.
func TestKeysCanBeSwapped(t *testing.T) {
	s, said := read(t, "[keys.containers]\nstop = \"S\"\nstart = \"s\"")
	if said != "" {
		t.Fatal(said)
	}
	if a, _ := s.Keys.Find("S", keymap.Containers); a != keymap.Stop {
		t.Errorf("S means %s", a)
	}
}

func TestValuesNeverReachAShellAsMoreThanAWord(t *testing.T) {
	s, said := read(t, "[[commands]]\nname = \"a\"\ncommand = \"echo {{.Name}}\"")
	if said != "" {
		t.Fatal(said)
	}
	for _, evil := range []string{"a b", "a;reboot", "$(reboot)", "`x`", "a'b", "-rf", "a\nb", "a|b", "a&b", "a>b", "~root", "*"} {
		if line, err := s.Commands[0].Line(Values{Name: evil}); err == nil {
			t.Errorf("%q became %q", evil, line)
		}
	}
	if line, err := s.Commands[0].Line(Values{Name: "ghcr.io/a/b:1@sha256:00"}); err != nil || line != "echo ghcr.io/a/b:1@sha256:00" {
		t.Error(line, err)
	}
}

func TestFilesThatAreThere(t *testing.T) {
	dir := t.TempDir()
	one, two := filepath.Join(dir, "1"), filepath.Join(dir, "2")
	os.WriteFile(one, []byte("theme = \"dark\"\n[confirm]\nstop = true"), 0o600)
	os.WriteFile(two, []byte("theme = \"mono\""), 0o600)
	s, problems := Load(one, filepath.Join(dir, "none"), two)
	if len(problems) > 0 || s.Theme != theme.Mono() || !s.Confirm[keymap.Stop] {
		t.Errorf("%v %+v", problems, s.Confirm)
	}
	if s, problems := Load(dir); len(problems) != 1 || len(s.Keys) == 0 {
		t.Errorf("a directory: %v", problems)
	}
}
