package settings

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"berth/tui/keymap"
)

// Command is a command of the user's own.
type Command struct {
	Name    string
	Key     string // "": only in the menu
	Scope   keymap.Scope
	How     How
	Confirm bool

	template *template.Template
	at       string // where it stands, for problems
}

// How a command runs.
type How string

// The ways: on a terminal in the pane of the shell, on the whole terminal while
// the console waits, or without one.
const (
	Pane       How = "pane"
	Suspend    How = "suspend"
	Background How = "background"
)

// Values are what a template can name. What a scope does not have is empty.
type Values struct {
	ID, Name                       string // of the row
	Image, State, Project, Service string // containers
	Driver                         string // volumes and networks
	Address, Port, Container       string // ports
	Engine                         string // the engine's name
}

// scopes are where commands may be.
var scopes = []keymap.Scope{keymap.Containers, keymap.Images, keymap.Projects, keymap.Volumes, keymap.Networks, keymap.Ports, keymap.Everywhere}

// safe is what may go into a line that a shell reads. Names of containers, images
// and networks have no other letters; what an engine makes up may.
var safe = regexp.MustCompile(`^([A-Za-z0-9_./:@%+][A-Za-z0-9_./:@%+=,-]*)?$`)

// Line is the command line for a row. A value that a shell would read as more than
// a word is refused.
func (c Command) Line(v Values) (string, error) {
	for _, word := range []string{v.ID, v.Name, v.Image, v.State, v.Project, v.Service, v.Driver, v.Address, v.Port, v.Container, v.Engine} {
		if !safe.MatchString(word) {
			return "", fmt.Errorf("command %s: %q is not passed on to a shell: it has letters that mean something there", c.Name, word)
		}
	}
	var b bytes.Buffer
	if err := c.template.Execute(&b, v); err != nil {
		return "", fmt.Errorf("command %s: %w", c.Name, err)
	}
	return b.String(), nil
}

// commands reads the tables [[commands]].
func (r *reader) commands(v any) {
	list, ok := v.([]any)
	if !ok {
		r.problem("commands", "commands must be tables of their own: begin each with [[commands]]")
		return
	}
	for i, e := range list {
		at := "commands/" + strconv.Itoa(i)
		if c, ok := r.command(at, r.table(at, e)); ok {
			r.into.Commands = append(r.into.Commands, c)
		}
	}
}

// command reads one command; false when it could not be run.
func (r *reader) command(at string, t map[string]any) (Command, bool) {
	c := Command{Scope: keymap.Containers, How: Suspend, at: at}
	before := len(r.problems)
	var scope, how, line string
	fields := map[string]*string{"name": &c.Name, "key": &c.Key, "scope": &scope, "command": &line, "run": &how}
	for _, name := range sorted(t) {
		into, known := fields[name]
		s, isText := t[name].(string)
		on, isBool := t[name].(bool)
		switch {
		case name == "confirm" && isBool:
			c.Confirm = on
		case name == "confirm":
			r.problem(at+"/confirm", "confirm must be true or false")
		case !known:
			r.problem(at+"/"+name, "a command has no %q%s", name, nearest(name, []string{"name", "key", "scope", "command", "run", "confirm"}))
		case !isText:
			r.problem(at+"/"+name, "%s must be a string in quotes", name)
		default:
			*into = s
		}
	}
	if c.Name == "" || line == "" {
		r.problem(at, "a command needs a name and a command: name = \"top\", command = \"berth top {{.ID}}\"")
	}
	if scope != "" {
		c.Scope = keymap.Scope(scope)
		if !slices.Contains(scopes, c.Scope) {
			r.problem(at+"/scope", "there is no scope %q for commands%s", scope, nearest(scope, words(scopes)))
		}
	}
	if how != "" {
		c.How = How(how)
		if !slices.Contains([]How{Pane, Suspend, Background}, c.How) {
			r.problem(at+"/run", "a command cannot run in %q: write pane, suspend or background", how)
		}
	}
	if c.How == Pane && c.Scope != keymap.Containers {
		r.problem(at+"/run", "only containers have a pane for commands: write run = \"suspend\"")
	}
	if c.Key != "" {
		if err := checkKey(c.Key); err != nil {
			r.problem(at+"/key", "%w", err)
		}
	}
	tpl, err := template.New("").Option("missingkey=error").Parse(line)
	if err == nil {
		err = tpl.Execute(&bytes.Buffer{}, Values{})
	}
	if err != nil {
		why := strings.TrimPrefix(err.Error(), "template: :1:")
		r.problem(at+"/command", "%q is no command: %s; there are .ID .Name .Image .State .Project .Service .Driver .Address .Port .Container .Engine", line, why)
	}
	c.template = tpl
	return c, len(r.problems) == before
}
