package cli

import (
	"fmt"
	"strconv"
	"strings"
)

// flag is an option as runc's parser knows them: one or two dashes, the value
// after "=" or as the next argument.
type flag struct {
	name, short string
	value       string // placeholder; "" for a switch
	usage       string
}

// values are parsed options and the arguments after them.
type values struct {
	set  map[string][]string
	args []string
}

func (v values) has(name string) bool      { return len(v.set[name]) > 0 && v.set[name][0] != "false" }
func (v values) list(name string) []string { return v.set[name] }
func (v values) given(name string) bool    { return len(v.set[name]) > 0 }

func (v values) get(name string) string {
	if l := v.set[name]; len(l) > 0 {
		return l[len(l)-1]
	}
	return ""
}

func (v values) number(name string) (int, error) {
	s := v.get(name)
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("--%s: %q is not a number", name, s)
	}
	return n, nil
}

// parse reads options up to the first argument.
func parse(flags []flag, args []string) (values, []string, error) {
	v := values{set: map[string][]string{}}
	for len(args) > 0 {
		arg := args[0]
		if arg == "--" {
			args = args[1:]
			break
		}
		if len(arg) < 2 || arg[0] != '-' {
			break
		}
		args = args[1:]
		name, value, has := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-"), "=")
		f := find(flags, name)
		switch {
		case f == nil:
			return v, nil, fmt.Errorf("flag provided but not defined: %s", arg)
		case f.value == "" && !has:
			value = "true"
		case f.value == "":
			b, err := strconv.ParseBool(value)
			if err != nil {
				return v, nil, fmt.Errorf("flag %s is true or false, not %q", arg, value)
			}
			value = strconv.FormatBool(b)
		case !has:
			if len(args) == 0 {
				return v, nil, fmt.Errorf("flag needs an argument: %s", arg)
			}
			value, args = args[0], args[1:]
		}
		v.set[f.name] = append(v.set[f.name], value)
	}
	v.args = args
	return v, args, nil
}

func find(flags []flag, name string) *flag {
	for i := range flags {
		if f := &flags[i]; name != "" && (f.name == name || f.short == name) {
			return f
		}
	}
	return nil
}
