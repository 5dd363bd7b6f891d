package keymap

import "testing"

func TestNoKeyIsBoundTwiceInAScope(t *testing.T) {
	seen := map[Scope]map[string]Action{}
	for _, b := range Default() {
		if b.Help == "" || len(b.Keys) == 0 {
			t.Errorf("%s has no help or no key", b.Action)
		}
		if seen[b.Scope] == nil {
			seen[b.Scope] = map[string]Action{}
		}
		for _, k := range b.Keys {
			if other, ok := seen[b.Scope][k]; ok {
				t.Errorf("%s: %q means %s and %s", b.Scope, k, other, b.Action)
			}
			seen[b.Scope][k] = b.Action
		}
	}
}

func TestTheInnermostScopeWins(t *testing.T) {
	m := Default()
	for _, c := range []struct {
		key    string
		scopes []Scope
		want   Action
	}{
		{"d", []Scope{Containers, Lists, Everywhere}, Remove},
		{"d", []Scope{Images, Lists, Everywhere}, RemoveImage},
		{"x", []Scope{Containers, Lists, Everywhere}, Help},
		{"x", []Scope{Logs, Detail, Everywhere}, OnlyHits},
		{"p", []Scope{Logs, Detail, Everywhere}, LayOut},
		{"q", []Scope{Logs, Detail, Everywhere}, Quit},
	} {
		if got, _ := m.Find(c.key, c.scopes...); got != c.want {
			t.Errorf("%q in %v is %q, want %q", c.key, c.scopes, got, c.want)
		}
	}
}

func TestLookingUpByAction(t *testing.T) {
	m := Default()
	if b, ok := m.Of(Shells); !ok || b.Shown() != "E/e" {
		t.Errorf("shell: %+v", b)
	}
	if b, ok := m.Of(Down, Detail); !ok || b.Shown() != "j/↓" {
		t.Errorf("down: %+v", b)
	}
	if _, ok := m.Of(Down, Images); ok {
		t.Error("down is not bound among images")
	}
	if got := m.Scopes(); got[0] != Everywhere || len(got) != 14 {
		t.Errorf("scopes: %v", got)
	}
	if got := m.In(Logs); len(got) != 5 {
		t.Errorf("logs: %v", got)
	}
}

// What the console keeps for itself can be pressed in the layer browser, and the
// other way round.
func TestNoKeyOfTheLayersIsKeptByTheConsole(t *testing.T) {
	m := Default()
	for _, own := range []Scope{Containers, Images, Everywhere} {
		for _, b := range m.In(own) {
			for _, k := range b.Keys {
				if a, ok := m.Find(k, Layers); ok && AboveLayers(b.Action) {
					t.Errorf("%q means %s in the layers, and the console takes it for %s", k, a, b.Action)
				}
			}
		}
	}
}
