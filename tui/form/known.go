package form

import (
	"fmt"
	"slices"
	"strings"
)

// word is what is completed in a field: all of it, or its last word.
func (f *Form) word(name Field) string {
	v := f.fields[name].Value()
	if name == Volumes {
		return v[strings.LastIndexByte(v, ' ')+1:]
	}
	return v
}

// completion is the first known thing that begins with what was typed, or has it
// inside; "" when the field completes nothing.
func (f *Form) completion(name Field) string {
	known := map[Field][]string{Image: f.known.Images, Network: f.known.Networks, Volumes: f.known.Volumes}[name]
	typed := f.word(name)
	if typed == "" && name != Image || name == Volumes && strings.Contains(typed, ":") {
		return ""
	}
	for _, test := range []func(s, part string) bool{strings.HasPrefix, strings.Contains} {
		for _, k := range known {
			if k != typed && test(k, typed) {
				if name == Volumes {
					k += ":/"
				}
				return k
			}
		}
	}
	return ""
}

// check is what is wrong by itself, and what is taken already as far as the
// console knows; the engine has the last word.
func (f *Form) check() map[Field]error {
	errs := f.spec.Check()
	if slices.Contains(f.known.Names, f.spec.Name) {
		errs[Name] = fmt.Errorf("the name %s is already in use", f.spec.Name)
	}
	_, bindings, err := ParsePorts(f.spec.Ports)
	if err != nil {
		return errs
	}
	for inside, hosts := range bindings {
		for _, h := range hosts {
			if by, ok := f.known.Ports[h.HostPort+"/"+string(inside.Proto())]; ok && h.HostPort != "" {
				errs[Ports] = fmt.Errorf("port %s is published by %s", h.HostPort, by)
			}
		}
	}
	return errs
}
