// Package settings reads how a user wants the console: the theme, the keys, which
// actions ask first, and commands of the user's own.
//
// The file is console.toml; every setting is in example.toml, which 'berth config
// console' prints. A problem is an error that names file and line and says what to
// write instead; it costs the setting that it is about, never the console: [Load]
// returns what is right together with all that is not.
//
// It must not import the console, which takes its result as it is.
package settings

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"berth/tui/keymap"
	"berth/tui/theme"
)

// Example is a file with every setting and what it means.
//
//go:embed example.toml
var Example string

// Settings are how the console is to be.
type Settings struct {
	Theme    theme.Theme
	Keys     keymap.Map
	Confirm  map[keymap.Action]bool // what to ask first and what not; the others as built in
	Commands []Command
	NoMouse  bool // the terminal keeps the mouse for itself
}

// Default is the console that nobody has asked anything of.
func Default() Settings {
	return Settings{Theme: theme.ANSI16(), Keys: keymap.Default(), Confirm: map[keymap.Action]bool{}}
}

// Load reads the files that there are, the last counting most. The settings are
// usable even if there are problems.
func Load(paths ...string) (Settings, []error) {
	s := Default()
	var problems []error
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("reading the console's settings: %w", err))
			continue
		}
		problems = append(problems, s.Read(path, data)...)
	}
	return s, problems
}

// reader is one file being read.
type reader struct {
	path     string
	lines    map[string]int // of keys and tables, by their path
	into     *Settings
	problems []error
}

// Read takes over what a file says; path is its name in errors.
func (s *Settings) Read(path string, data []byte) []error {
	var all map[string]any
	if err := toml.Unmarshal(data, &all); err != nil {
		var at *toml.DecodeError
		if errors.As(err, &at) {
			row, _ := at.Position()
			return []error{fmt.Errorf("%s line %d: %w: nothing of this file counts", path, row, err)}
		}
		return []error{fmt.Errorf("%s: %w: nothing of this file counts", path, err)}
	}
	r := &reader{path: path, lines: lines(data), into: s}
	for _, name := range sorted(all) {
		switch name {
		case "theme", "themes":
		case "mouse":
			on, ok := all[name].(bool)
			if s.NoMouse = ok && !on; !ok {
				r.problem(name, "mouse must be true or false")
			}
		case "keys":
			r.keys(all[name])
		case "confirm":
			r.confirm(all[name])
		case "commands":
			r.commands(all[name])
		default:
			r.problem(name, "there is no setting %q%s", name, nearest(name, []string{"theme", "themes", "mouse", "keys", "confirm", "commands"}))
		}
	}
	r.themes(all["theme"], all["themes"])
	r.conflicts()
	return r.problems
}

// problem notes what is wrong with the setting at a path.
func (r *reader) problem(at, format string, args ...any) {
	r.problems = append(r.problems, fmt.Errorf("%s line %d: "+format, append([]any{r.path, r.line(at)}, args...)...))
}

// line is where a setting stands, or what it is in.
func (r *reader) line(at string) int {
	for {
		if n, ok := r.lines[at]; ok {
			return n
		}
		i := strings.LastIndexByte(at, '/')
		if i < 0 {
			return 1
		}
		at = at[:i]
	}
}

// table is v as a table; anything else is a problem.
func (r *reader) table(at string, v any) map[string]any {
	t, ok := v.(map[string]any)
	if !ok {
		r.problem(at, "%s must be a table: [%s], then one setting a line", at, strings.ReplaceAll(at, "/", "."))
	}
	return t
}

// confirm reads which actions ask first.
func (r *reader) confirm(v any) {
	t := r.table("confirm", v)
	for _, name := range sorted(t) {
		on, ok := t[name].(bool)
		switch {
		case !slices.Contains(keymap.Verbs(), keymap.Action(name)):
			r.problem("confirm/"+name, "no action called %q does anything that could be asked about%s", name, nearest(name, words(keymap.Verbs())))
		case !ok:
			r.problem("confirm/"+name, "confirm.%s must be true or false", name)
		default:
			r.into.Confirm[keymap.Action(name)] = on
		}
	}
}

// sorted are the keys of a table, so that problems have an order.
func sorted(t map[string]any) []string {
	out := make([]string, 0, len(t))
	for k := range t {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// words makes strings of actions and scopes.
func words[S ~string](list []S) []string {
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = string(w)
	}
	return out
}
