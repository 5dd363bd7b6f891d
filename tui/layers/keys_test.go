package layers

import (
	"testing"

	"berth/tui/keymap"
)

func TestTheBrowserTakesTheUsersKeys(t *testing.T) {
	e := newEngine()
	keys := keymap.Default()
	for i, b := range keys {
		if b.Scope != keymap.Layers {
			continue
		}
		switch b.Action {
		case keymap.Union:
			keys[i].Keys = []string{"ctrl+n", "U"}
		case keymap.Compare:
			keys[i].Keys = nil
		}
	}
	u := browse(t, e, anImage)
	u.m.keys = New(Config{Berth: e, Docker: e, Keys: keys}).keys
	for _, k := range []string{"u", "c"} {
		if u.press(k); u.m.union || u.m.mark >= 0 {
			t.Fatalf("%q does what it did before", k)
		}
	}
	if u.press("U"); !u.m.union {
		t.Error("U shows no union")
	}
	for _, k := range u.m.Keys() {
		if h := k.Help(); k.Enabled() && h.Desc == "union" && h.Key != "ctrl+n" || h.Desc == "compare with" {
			t.Errorf("help says %+v", h)
		}
	}
}

// The palette does what has no key, too.
func TestActionsNeedNoKey(t *testing.T) {
	e := newEngine()
	u := browse(t, e, anImage)
	keys := keymap.Default()
	for i, b := range keys {
		if b.Scope == keymap.Layers && b.Action == keymap.Union {
			keys[i].Keys = nil
		}
	}
	u.m.keys = New(Config{Berth: e, Docker: e, Keys: keys}).keys
	u.m.Do(keymap.Union)
	if !u.m.union {
		t.Error("no union")
	}
	u.m.Do("no such action")
}
