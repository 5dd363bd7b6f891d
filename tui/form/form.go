package form

import (
	"cmp"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"berth/tui/edit"
	"berth/tui/text"
	"berth/tui/theme"
)

// Result is what a key did to the form.
type Result int

// The results.
const (
	Going Result = iota
	Cancelled
	Submitted
)

// Form is the form on the screen.
type Form struct {
	about subject // &spec or &build
	order []Field
	spec  Spec
	build BuildSpec
	known Known
	at    int // the row that has the cursor
	rows  []row
	touch map[Field]bool // shown errors only where something was typed, or after a try
	tried bool
	busy  bool
	err   string // why the engine refused
}

// subject is what a form asks for.
type subject interface {
	take(f *Form)
	Check() map[Field]error
	clash(f *Form, errs map[Field]error) // adds what is wrong with what there is already
	Line() string
	box(name Field) (on *bool, label string) // of a field that is on or off
}

// Known is what the engine has, for completion and to see conflicts early.
type Known struct {
	Images, Networks, Volumes []string
	Names                     []string          // of containers: taken
	Ports                     map[string]string // published already, as "8080/tcp", by whom
	Held                      []Held            // what else listens on the engine's machine
	Of                        map[string]About  // images
	Look                      Look              // at what is to be built
}

// runOrder is how the fields of a run come.
var runOrder = []Field{Image, Name, Command, Env, Ports, Volumes, Workdir, User, Network, Memory, CPUs, Pids, Created, Restart, TTY, Remove}

// hints say what a field takes.
var hints = map[Field]string{
	Context: "the directory that is sent to the engine; → completes", File: "the Dockerfile, from the directory; Dockerfile when empty; → completes",
	Tags: "names of the image, one a line: app:dev", Target: "the stage to build, the last when empty; → completes", Args: "NAME=value of an ARG, one a line; → completes",
	Platform: "linux/arm64; the engine's own when empty; → completes", NoCache: "space: use nothing of earlier builds (--no-cache)", Pull: "space: pull the base images though they are there (--pull)",
	CPUs: "1.5; all when empty", Pids: "how many there may be; no limit when empty", Created: "space: create it, and do not start it (berth create)",
	Image: "name:tag or ID; → completes", Name: "made up by the engine when empty", Command: "the image's own when empty",
	Env: "NAME=value, one a line", Ports: "8080:80, 127.0.0.1:53:53/udp, 8000-8010:8000-8010, one a line", Volumes: "/host/path:/inside[:ro] volume:/data …; → completes",
	Workdir: "/path", User: "user[:group]", Network: "bridge when empty; none, host, container:NAME; → completes", Memory: "512m, 2g; no limit when empty",
	Restart: "← → choose; on-failure:3 counts", TTY: "space: a terminal and an open stdin (-it), needed by shells", Remove: "space: remove it when it ends (--rm)",
}

// New is a form about an image.
func New(image string, known Known) *Form {
	f := &Form{known: known, touch: map[Field]bool{}, order: runOrder}
	f.about = &f.spec
	f.spec.Restart, f.spec.TTY = "no", true
	f.fill()
	f.field(Image).Set(image)
	f.field(Restart).Set("no")
	f.read()
	if image != "" {
		f.at = 1
	}
	return f
}

// fill makes the rows.
func (f *Form) fill() {
	for _, name := range f.order {
		f.rows = append(f.rows, row{name, &edit.Field{}})
	}
}

// Spec is what was typed.
func (f *Form) Spec() Spec { return f.spec }

// Busy notes that the engine was asked; keys wait until Refused.
func (f *Form) Busy() { f.busy, f.err = true, "" }

// Refused notes why the engine did not do it; the form can be mended.
func (f *Form) Refused(err error) { f.busy, f.err = false, text.Clean(err.Error()) }

// read takes the fields in.
func (f *Form) read() {
	f.grow()
	f.about.take(f)
}

// text is a field of one line.
func (f *Form) text(name Field) string { return strings.TrimSpace(f.field(name).Value()) }

// take is what was typed.
func (s *Spec) take(f *Form) {
	v := f.text
	*s = Spec{Image: v(Image), Name: v(Name), Command: v(Command), Env: f.all(Env), Ports: f.all(Ports), Volumes: v(Volumes), Workdir: v(Workdir),
		User: v(User), Network: v(Network), Memory: v(Memory), CPUs: v(CPUs), Pids: v(Pids), Restart: v(Restart), TTY: s.TTY, Remove: s.Remove, Created: s.Created}
}

// box is the fields that are on or off.
func (s *Spec) box(name Field) (on *bool, label string) {
	switch name {
	case TTY:
		return &s.TTY, "interactive terminal"
	case Remove:
		return &s.Remove, "when it ends"
	case Created:
		return &s.Created, "only, do not start it"
	}
	return nil, ""
}

// Update handles a key or a paste.
func (f *Form) Update(msg tea.Msg) Result {
	now := f.now()
	if k, ok := msg.(tea.KeyPressMsg); ok {
		switch k.String() {
		case "esc":
			return Cancelled
		case "tab", "down", "ctrl+n":
			f.at = (f.at + 1) % len(f.rows)
			return Going
		case "shift+tab", "up", "ctrl+p":
			f.at = (f.at + len(f.rows) - 1) % len(f.rows)
			return Going
		case "enter", "ctrl+s":
			return f.submit()
		case "right", "left":
			if f.choose(now, k.String()) {
				return Going
			}
		case "space":
			if f.toggle(now) {
				return Going
			}
		}
	}
	if on, _ := f.about.box(now); on != nil || f.busy {
		return Going
	}
	if f.rows[f.at].edit.Update(msg) {
		f.touch[now], f.err = true, ""
		f.read()
	}
	return Going
}

// submit checks all fields; the first that is wrong gets the cursor.
func (f *Form) submit() Result {
	if f.busy {
		return Going
	}
	f.tried = true
	errs := f.check()
	for i, r := range f.rows {
		if errs[r.name] != nil && (!r.name.many() || f.checkRow(i) != nil) {
			f.at = i
			return Going
		}
	}
	return Submitted
}

// choose completes an image, or steps through the restart policies.
func (f *Form) choose(now Field, key string) bool {
	field := f.rows[f.at].edit
	switch {
	case now == Restart:
		i := slices.Index(RestartPolicies, f.spec.Restart)
		n := len(RestartPolicies)
		if key == "right" {
			i = (i + 1) % n
		} else {
			i = (max(i, 0) + n - 1) % n
		}
		field.Set(RestartPolicies[i])
	case key == "right" && field.AtEnd() && f.completion() != "":
		field.Set(field.Value()[:len(field.Value())-len(f.word())] + f.completion())
	default:
		return false
	}
	f.read()
	return true
}

// toggle switches a box, if the field is one.
func (f *Form) toggle(now Field) bool {
	on, _ := f.about.box(now)
	if on == nil {
		return false
	}
	*on = !*on
	f.touch[now] = true
	return true
}

// Lines draws the form in at most width×height cells.
func (f *Form) Lines(th theme.Theme, width, height int) []string {
	const label = 10
	w := width - label - 4
	errs := f.check()
	var rows []string
	for i, r := range f.rows {
		name, here, title := r.name, i == f.at, string(r.name)
		if i > 0 && f.rows[i-1].name == name {
			title = ""
		}
		mark, style := "  ", th.Text
		if here {
			mark, style = th.Accent.Render("▸ "), th.Accent
		}
		value := f.value(r, w, here)
		if word := f.word(); here && r.edit.AtEnd() && f.completion() != "" && strings.HasPrefix(f.completion(), word) {
			value = text.Fit(r.edit.ViewWith(w, th.Dim, f.completion()[len(word):]), w)
		}
		err := errs[name]
		if name.many() {
			err = f.checkRow(i)
		}
		line := mark + style.Render(text.Fit(title, label)) + value
		if err != nil && (f.tried || f.touch[name]) && !here {
			line = mark + th.Bad.Render(text.Fit(cmp.Or(title, "✗"), label)) + value
		}
		rows = append(rows, line)
	}
	foot := f.foot(th, width, errs)
	room := max(height-len(foot), 1)
	if len(rows) > room {
		from := max(min(f.at-room/2, len(rows)-room), 0)
		rows = rows[from : from+room]
	}
	return append(rows, foot...)
}

// foot is the hint or the error of the field, and the command.
func (f *Form) foot(th theme.Theme, width int, errs map[Field]error) []string {
	now := f.now()
	hint := th.Dim.Render(hints[now])
	err := errs[now]
	if now.many() {
		err = f.checkRow(f.at)
	}
	if err != nil && (f.tried || f.touch[now]) {
		hint = th.Bad.Render("✗ " + err.Error())
	}
	switch {
	case f.busy:
		hint = th.Warn.Render("asking the engine…")
	case f.err != "":
		hint = th.Bad.Render("✗ " + f.err)
	}
	out := []string{text.Spaces(width), "  " + text.Fit(hint, width-3), th.Border.Render(strings.Repeat("─", width))}
	for i, row := range text.Wrap(text.Clean(f.about.Line()), max(width-4, 10)) {
		if i == 3 {
			break
		}
		out = append(out, "  "+th.Good.Render(row))
	}
	return out
}

// value draws the right side of a row in w cells.
func (f *Form) value(r row, w int, here bool) string {
	if on, label := f.about.box(r.name); on != nil {
		mark := "[ ] "
		if *on {
			mark = "[x] "
		}
		return text.Fit(mark+label, w)
	}
	if r.name == Restart {
		if !here {
			return r.edit.View(w, false)
		}
		return text.Fit("‹ "+r.edit.View(max(w-4, 0), true), w-1) + "›"
	}
	return r.edit.View(w, here)
}
