package settings

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"berth/tui/keymap"
)

// keyName is how a key is written: as Bubble Tea tells it.
var keyName = regexp.MustCompile(`^(ctrl\+)?(alt\+)?(shift\+)?([^ ]|enter|tab|esc|space|up|down|left|right|home|end|pgup|pgdown|insert|delete|backspace|f[1-9]|f1[0-9]|f20)$`)

// keys reads the tables keys.SCOPE.
func (r *reader) keys(v any) {
	r.into.Keys = slices.Clone(r.into.Keys)
	scopes := r.table("keys", v)
	for _, name := range sorted(scopes) {
		at := "keys/" + name
		scope := keymap.Scope(name)
		if !slices.Contains(r.into.Keys.Scopes(), scope) {
			r.problem(at, "there is no scope %q%s", name, nearest(name, words(r.into.Keys.Scopes())))
			continue
		}
		actions := r.table(at, scopes[name])
		for _, action := range sorted(actions) {
			r.bind(at+"/"+action, scope, keymap.Action(action), actions[action])
		}
	}
}

// bind gives an action other keys.
func (r *reader) bind(at string, scope keymap.Scope, a keymap.Action, v any) {
	i := slices.IndexFunc(r.into.Keys, func(b keymap.Binding) bool { return b.Scope == scope && b.Action == a })
	if i < 0 {
		var known []keymap.Action
		for _, b := range r.into.Keys.In(scope) {
			known = append(known, b.Action)
		}
		elsewhere := ""
		if b, ok := r.into.Keys.Of(a); ok {
			elsewhere = fmt.Sprintf("; it is one of [keys.%s]", b.Scope)
		} else {
			elsewhere = nearest(string(a), words(known))
		}
		r.problem(at, "there is no action %q in %s%s", a, scope, elsewhere)
		return
	}
	keys, ok := texts(v)
	if !ok {
		r.problem(at, "the keys of %s must be a string or a list: %s = [\"f5\", \"ctrl+s\"]; [] takes its keys away", a, a)
		return
	}
	for _, k := range keys {
		if err := checkKey(k); err != nil {
			r.problem(at, "%s: %w", a, err)
			return
		}
	}
	if keymap.Needed(a, scope) && len(keys) == 0 {
		r.problem(at, "%s keeps its key: without it berth might not be left", a)
		return
	}
	r.into.Keys[i].Keys = keys
}

// checkKey says what is wrong with the name of a key.
func checkKey(k string) error {
	switch {
	case !keyName.MatchString(k):
		return fmt.Errorf("no key is called %q: write x, X, ctrl+x, alt+x, f5, space, enter, pgdown, delete", k)
	case strings.HasPrefix(k, "shift+") && len(k) == len("shift+x"):
		return fmt.Errorf("%q arrives as a capital: write %q", k, strings.ToUpper(k[len(k)-1:]))
	}
	return nil
}

// texts is v as a list of strings.
func texts(v any) ([]string, bool) {
	if s, ok := v.(string); ok {
		return []string{s}, true
	}
	list, ok := v.([]any)
	out := []string{}
	for _, e := range list {
		s, isText := e.(string)
		ok = ok && isText
		out = append(out, s)
	}
	return out, ok
}

// conflicts finds keys that two actions would have, in one scope or because one
// covers what works everywhere, and takes them from what the file gave them to.
func (r *reader) conflicts() {
	for i := range r.into.Keys {
		b := &r.into.Keys[i]
		at := "keys/" + string(b.Scope) + "/" + string(b.Action)
		if _, mine := r.lines[at]; !mine {
			continue
		}
		was, _ := keymap.Default().Of(b.Action, b.Scope)
		b.Keys = slices.DeleteFunc(slices.Clone(b.Keys), func(k string) bool {
			other, ok := r.taken(k, b.Scope, i)
			if !ok || slices.Contains(was.Keys, k) && other.Scope != b.Scope {
				return false
			}
			r.problem(at, "%q is %s's key already, in %s: give %s another one, or write %s = [] below [keys.%s]",
				k, other.Action, other.Scope, b.Action, other.Action, other.Scope)
			return true
		})
	}
	kept := r.into.Commands[:0:0]
	for n, c := range r.into.Commands {
		if other, ok := r.taken(c.Key, c.Scope, -1); c.Key != "" && ok {
			r.problem(c.at, "%q is %s's key already, in %s: give the command %q another one", c.Key, other.Action, other.Scope, c.Name)
			c.Key = ""
		}
		for _, before := range r.into.Commands[:n] {
			if c.Key != "" && c.Key == before.Key && c.Scope == before.Scope {
				r.problem(c.at, "%q is the key of the command %q already: give %q another one", c.Key, before.Name, c.Name)
				c.Key = ""
			}
		}
		kept = append(kept, c)
	}
	r.into.Commands = kept
}

// taken finds who has a key besides binding number but: in the same scope, in one
// that works there, too, or, if the scope is one of these, in any.
func (r *reader) taken(key string, scope keymap.Scope, but int) (keymap.Binding, bool) {
	for i, b := range r.into.Keys {
		if i == but || !slices.Contains(b.Keys, key) {
			continue
		}
		if b.Scope == scope || slices.Contains(outer(scope), b.Scope) || scope == keymap.Layers && keymap.AboveLayers(b.Action) && b.Scope != keymap.Shell ||
			scope == keymap.Scrollback && b.Scope == keymap.Shell && b.Action == keymap.Leader {
			return b, true
		}
	}
	return keymap.Binding{}, false
}

// outer are the scopes that work beside one.
func outer(s keymap.Scope) []keymap.Scope {
	switch s {
	case keymap.Everywhere, keymap.Layers, keymap.Shell, keymap.Scrollback: // all but the first handle their keys themselves
		return nil
	case keymap.Lists, keymap.Detail:
		return []keymap.Scope{keymap.Everywhere}
	case keymap.Logs:
		return []keymap.Scope{keymap.Detail, keymap.Everywhere}
	}
	return []keymap.Scope{keymap.Lists, keymap.Everywhere}
}
