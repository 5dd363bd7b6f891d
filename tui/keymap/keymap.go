// Package keymap is the one table of what keys do in the console.
//
// The help screen, the line of keys and the palette are made from it, so a key
// that works is a key that is shown. A binding belongs to a scope; the console
// asks for a key in the scopes of what has the focus, the innermost first.
package keymap

import "strings"

// Action is what a key does.
type Action string

// Scope is where a binding applies.
type Scope string

// The scopes, as the help screen names them.
const (
	Everywhere Scope = "everywhere"
	Lists      Scope = "lists"
	Containers Scope = "containers"
	Images     Scope = "images"
	Projects   Scope = "projects"
	Volumes    Scope = "volumes"
	Networks   Scope = "networks"
	Ports      Scope = "ports"
	Detail     Scope = "detail"
	Logs       Scope = "logs"
	Layers     Scope = "layers"
	Files      Scope = "files"
	Shell      Scope = "shell"
	Scrollback Scope = "scrollback" // of the shell
)

// Binding ties keys to an action.
type Binding struct {
	Action Action
	Scope  Scope
	Keys   []string // as tea.KeyPressMsg.String() gives them
	Help   string   // what it does, for help and palette
	Short  string   // a word for the line of keys; "" leaves it out
	Silent bool     // not in the palette: it only makes sense as a key
}

// Shown is the first key in the notation of the help screen.
func (b Binding) Shown() string { return Pretty(b.Keys...) }

// Map is all bindings in the order of the help screen.
type Map []Binding

// Find returns the action of a key in the first of the scopes that binds it.
func (m Map) Find(key string, scopes ...Scope) (Action, bool) {
	for _, s := range scopes {
		for _, b := range m {
			if b.Scope != s {
				continue
			}
			for _, k := range b.Keys {
				if k == key {
					return b.Action, true
				}
			}
		}
	}
	return "", false
}

// In returns the bindings of the scopes, in order.
func (m Map) In(scopes ...Scope) []Binding {
	var out []Binding
	for _, s := range scopes {
		for _, b := range m {
			if b.Scope == s {
				out = append(out, b)
			}
		}
	}
	return out
}

// Of returns the first binding of an action in the scopes, or in all when none
// is given.
func (m Map) Of(a Action, scopes ...Scope) (Binding, bool) {
	for _, b := range m {
		if b.Action != a {
			continue
		}
		if len(scopes) == 0 {
			return b, true
		}
		for _, s := range scopes {
			if b.Scope == s {
				return b, true
			}
		}
	}
	return Binding{}, false
}

// Scopes lists the scopes in the order of the map.
func (m Map) Scopes() []Scope {
	var out []Scope
	seen := map[Scope]bool{}
	for _, b := range m {
		if !seen[b.Scope] {
			seen[b.Scope] = true
			out = append(out, b.Scope)
		}
	}
	return out
}

var pretty = map[string]string{
	"enter": "⏎", "up": "↑", "down": "↓", "left": "←", "right": "→",
	"pgup": "PgUp", "pgdown": "PgDn", "home": "Home", "end": "End", "shift+tab": "⇧tab",
}

// Pretty writes keys as the screen shows them, joined by a slash.
func Pretty(keys ...string) string {
	out := make([]string, len(keys))
	for i, k := range keys {
		if p, ok := pretty[k]; ok {
			k = p
		}
		out[i] = k
	}
	return strings.Join(out, "/")
}
