package form

import (
	"fmt"
	"slices"
	"strings"
)

// word is what is completed where the cursor is: all of the line, or its last word.
func (f *Form) word() string {
	v := f.rows[f.at].edit.Value()
	if f.now() == Volumes {
		return v[strings.LastIndexByte(v, ' ')+1:]
	}
	return v
}

// completion is the first known thing that begins with what was typed, or has it
// inside; "" when the field completes nothing.
func (f *Form) completion() string {
	name, typed := f.now(), f.word()
	look, _ := f.looked()
	tags := f.known.Images
	if typed == "" {
		tags = []string{look.Name}
	}
	known := map[Field][]string{Context: f.known.Look.Dirs, File: look.Files, Target: look.Stages, Args: look.Args, Platform: platforms, Tags: tags, Image: f.known.Images, Network: f.known.Networks, Volumes: f.known.Volumes, Env: f.known.env(f.spec.Image), Ports: f.known.ports(f.spec.Image)}[name]
	if typed == "" && name != Image && name != Target && name != File && !name.many() || name == Volumes && strings.Contains(typed, ":") {
		return ""
	}
	for _, test := range []func(s, part string) bool{strings.HasPrefix, strings.Contains} {
		for _, k := range known {
			if k != "" && k != typed && test(k, typed) && !(name.many() && f.has(name, k)) {
				if name == Volumes {
					k += ":/"
				}
				return k
			}
		}
		if name.many() || name == Context { // what has it inside is something else
			break
		}
	}
	return ""
}

// has tells whether a line of a field has a value already.
func (f *Form) has(name Field, value string) bool {
	for i, r := range f.rows {
		if r.name == name && i != f.at && strings.TrimSpace(r.edit.Value()) == value {
			return true
		}
	}
	return false
}

// clash is a name that is taken.
func (s *Spec) clash(f *Form, errs map[Field]error) {
	if slices.Contains(f.known.Names, s.Name) {
		errs[Name] = fmt.Errorf("the name %s is already in use", s.Name)
	}
}

// check is what is wrong by itself, and what is taken already as far as the
// console knows; the engine has the last word.
func (f *Form) check() map[Field]error {
	errs := f.about.Check()
	f.about.clash(f, errs)
	for i, r := range f.rows {
		if err := f.checkRow(i); r.name.many() && err != nil && errs[r.name] == nil {
			errs[r.name] = err
		}
	}
	return errs
}
