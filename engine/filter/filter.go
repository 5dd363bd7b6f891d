// Package filter holds the filters of the Engine API's list, prune and event
// routes: a set of keys, each with the values a client accepts for it.
//
// A key without values accepts everything; several values of one key are
// alternatives, several keys must all be met.
package filter

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
)

// Args maps a filter key ("label", "status") to the accepted values.
// The zero value accepts everything. Read with the methods: they know about values that came with false.
type Args map[string][]string

// denied ends a value that came with false. As with docker exact comparisons do not accept it, and all else takes it like
// any other; a key that has no other values is met by nothing, not by everything.
const denied = "\x00"

// Parse decodes the `filters` query parameter: {"key":{"value":true}} or, from
// clients of API 1.21 and older, {"key":["value"]}. The empty string is no filter.
func Parse(s string) (Args, error) {
	if s == "" {
		return Args{}, nil
	}
	var sets map[string]map[string]bool
	if err := json.Unmarshal([]byte(s), &sets); err == nil {
		args := make(Args, len(sets))
		for key, values := range sets {
			for v, on := range values {
				if !on {
					v += denied
				}
				args[key] = append(args[key], v)
			}
			slices.Sort(args[key])
		}
		return args, nil
	}
	var lists map[string][]string
	if err := json.Unmarshal([]byte(s), &lists); err != nil {
		return nil, fmt.Errorf("invalid filter: %w: %w", err, errdefs.ErrInvalidArgument)
	}
	return Args(lists), nil
}

// Validate refuses keys that the route does not know, in docker's words.
func (a Args) Validate(known ...string) error {
	for key := range a {
		if !slices.Contains(known, key) {
			return fmt.Errorf("invalid filter '%s': %w", key, errdefs.ErrInvalidArgument)
		}
	}
	return nil
}

// Has tells whether the key restricts anything.
func (a Args) Has(key string) bool { return len(a[key]) > 0 }

// Values are the key's values, also those that came with false.
func (a Args) Values(key string) []string {
	var all []string
	for _, v := range a[key] {
		all = append(all, strings.TrimSuffix(v, denied))
	}
	return all
}

// Exact is met by one of the key's values, or when there are none.
func (a Args) Exact(key, value string) bool {
	return !a.Has(key) || slices.Contains(a[key], value)
}

// Prefix is met when value begins with one of the key's values.
func (a Args) Prefix(key, value string) bool {
	return !a.Has(key) || slices.ContainsFunc(a.Values(key), func(v string) bool { return strings.HasPrefix(value, v) })
}

// Match takes the key's values as unanchored regular expressions, as docker's
// name filter does; a value that is not one must be a part of the text.
func (a Args) Match(key, text string) bool {
	return !a.Has(key) || slices.ContainsFunc(a.Values(key), func(v string) bool {
		re, err := regexp.Compile(v)
		if err != nil {
			return strings.Contains(text, v)
		}
		return re.MatchString(text)
	})
}

// Glob takes the key's values as shell patterns.
func (a Args) Glob(key, text string) bool {
	return !a.Has(key) || slices.ContainsFunc(a.Values(key), func(v string) bool {
		ok, err := path.Match(v, text)
		return err == nil && ok || v == text
	})
}

// Bool is the truth value of a key that takes one ("dangling"); def when it is
// absent. Anything but 0, 1, false and true is an invalid argument.
func (a Args) Bool(key string, def bool) (bool, error) {
	if !a.Has(key) {
		return def, nil
	}
	yes := a.Exact(key, "1") || a.Exact(key, "true")
	no := a.Exact(key, "0") || a.Exact(key, "false")
	if yes == no {
		return false, fmt.Errorf("invalid filter '%s=%s': %w", key, a.Values(key), errdefs.ErrInvalidArgument)
	}
	return yes, nil
}

// Labels is met when all "label" values (key or key=value) are on the object
// and none of the "label!" values is.
func (a Args) Labels(labels map[string]string) bool {
	on := func(v string) bool {
		key, want, withValue := strings.Cut(v, "=")
		got, ok := labels[key]
		return ok && (!withValue || got == want)
	}
	return !slices.ContainsFunc(a.Values("label"), func(v string) bool { return !on(v) }) &&
		!slices.ContainsFunc(a.Values("label!"), on)
}
