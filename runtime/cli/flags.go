package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// flag is an option as runc's parser knows them: one or two dashes, the value
// after "=" or as the next argument.
type flag struct {
	name, short string
	kind        kind
	usage       string
}

// kind is what a flag takes.
type kind int

const (
	toggle kind = iota
	text
	number
	duration
)

// values are parsed options and the arguments beside them.
type values struct {
	set  map[string][]string
	args []string
}

func (v values) has(name string) bool      { return v.given(name) && v.get(name) != "false" }
func (v values) list(name string) []string { return v.set[name] }
func (v values) given(name string) bool    { return len(v.set[name]) > 0 }

// get is the last value given, as one given again overrides.
func (v values) get(name string) string {
	if l := v.set[name]; len(l) > 0 {
		return l[len(l)-1]
	}
	return ""
}

// number is the value of a flag of that kind, whose form parse has checked.
func (v values) number(name string) int {
	n, _ := strconv.Atoi(v.get(name))
	return n
}

// parse reads options. They may stand after arguments too, unless first is set,
// which is for the commands whose arguments are another program's command line.
func parse(flags []flag, args []string, first bool) (values, error) {
	v := values{set: map[string][]string{}}
	for len(args) > 0 {
		arg := args[0]
		if arg == "--" {
			args = args[1:]
			break
		}
		// A number below zero is an argument.
		if len(arg) < 2 || arg[0] != '-' || arg[1] >= '0' && arg[1] <= '9' {
			if first {
				break
			}
			v.args, args = append(v.args, arg), args[1:]
			continue
		}
		var err error
		if args, err = v.option(flags, args); err != nil {
			return v, err
		}
	}
	v.args = append(v.args, args...)
	return v, nil
}

// option reads the option at the start of args and returns what follows it.
func (v values) option(flags []flag, args []string) ([]string, error) {
	name, value, has := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(args[0], "-"), "-"), "=")
	args = args[1:]
	f := find(flags, name)
	switch {
	case f == nil:
		return nil, fmt.Errorf("flag provided but not defined: -%s", name)
	case f.kind == toggle && !has:
		value = "true"
	case !has:
		if len(args) == 0 {
			return nil, fmt.Errorf("flag needs an argument: -%s", name)
		}
		value, args = args[0], args[1:]
	}
	var err error
	switch f.kind {
	case toggle:
		var on bool
		if on, err = strconv.ParseBool(value); err == nil {
			value = strconv.FormatBool(on)
		}
	case number:
		if _, err = strconv.Atoi(value); err != nil {
			err = errors.New("parse error")
		}
	case duration:
		if _, err = time.ParseDuration(value); err != nil {
			err = errors.New("parse error")
		}
	}
	if err != nil && f.kind == toggle {
		return nil, fmt.Errorf("invalid boolean value %q for -%s: parse error", value, name)
	}
	if err != nil {
		return nil, fmt.Errorf("invalid value %q for flag -%s: %w", value, name, err)
	}
	v.set[f.name] = append(v.set[f.name], value)
	return args, nil
}

func find(flags []flag, name string) *flag {
	for i := range flags {
		if f := &flags[i]; name != "" && (f.name == name || f.short == name) {
			return f
		}
	}
	return nil
}
