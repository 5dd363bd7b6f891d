package form

import (
	"fmt"
	"slices"
	"strings"

	"berth/tui/edit"
)

// row is a line of the form: a field, or one of the lines of a field that takes many.
type row struct {
	name Field
	edit *edit.Field
}

// many tells whether a field takes a line for each of its values.
func (n Field) many() bool { return n == Env || n == Ports || n == Args || n == Tags }

// now is the field that has the cursor.
func (f *Form) now() Field { return f.rows[f.at].name }

// field is the text of a field, of the first line of one that has many.
func (f *Form) field(name Field) *edit.Field {
	return f.rows[slices.IndexFunc(f.rows, func(r row) bool { return r.name == name })].edit
}

// all are the values of a field with many lines, as words.
func (f *Form) all(name Field) string {
	var out []string
	for _, r := range f.rows {
		if r.name == name {
			out = append(out, words(r)...)
		}
	}
	return strings.Join(out, " ")
}

// words are those that a line stands for: a variable is the whole line, since its
// value may have blanks; ports may be several, as pasted from a command.
func words(r row) []string {
	v := strings.TrimSpace(r.edit.Value())
	switch {
	case v == "":
		return nil
	case r.name == Env || r.name == Args:
		return []string{quote(v)}
	}
	return []string{v}
}

// grow keeps one empty line at the end of each field that takes many, and no other
// but that of the cursor.
func (f *Form) grow() {
	for _, name := range f.order {
		if !name.many() {
			continue
		}
		spare := false // an empty line was seen, from below
		for i := len(f.rows) - 1; i >= 0; i-- {
			if f.rows[i].name != name {
				continue
			}
			last := i == len(f.rows)-1 || f.rows[i+1].name != name
			empty := strings.TrimSpace(f.rows[i].edit.Value()) == ""
			switch {
			case last && !empty:
				f.rows = slices.Insert(f.rows, i+1, row{name, &edit.Field{}})
				if f.at > i {
					f.at++
				}
			case empty && spare && i == f.at && f.rows[i+1].name == name && f.rows[i+1].edit.Value() == "":
				f.rows = slices.Delete(f.rows, i+1, i+2) // the cursor's is the spare one now
			case empty && spare && i != f.at:
				f.rows = slices.Delete(f.rows, i, i+1)
				if f.at > i {
					f.at--
				}
			}
			spare = spare || empty || last
		}
	}
}

// checkRow is what is wrong with one line of a field that takes many: by itself,
// with the lines above it, and with what the machine has.
func (f *Form) checkRow(i int) error {
	r := f.rows[i]
	line := strings.Join(words(r), " ")
	if line == "" {
		return nil
	}
	if r.name == Tags {
		return checkTags(line)
	}
	if r.name == Env || r.name == Args {
		if _, err := parseEnv(line); err != nil {
			return err
		}
		name, _, _ := strings.Cut(strings.TrimSpace(r.edit.Value()), "=")
		for _, above := range f.rows[:i] {
			if other, _, ok := strings.Cut(strings.TrimSpace(above.edit.Value()), "="); above.name == r.name && ok && other == name {
				return fmt.Errorf("%s is set above already", name)
			}
		}
		return nil
	}
	_, bindings, err := ParsePorts(line)
	if err != nil {
		return err
	}
	if err := f.known.taken(bindings); err != nil {
		return err
	}
	for _, above := range f.rows[:i] {
		if above.name != Ports {
			continue
		}
		if _, others, err := ParsePorts(above.edit.Value()); err == nil {
			if err := overlap(bindings, others); err != nil {
				return err
			}
		}
	}
	return nil
}
