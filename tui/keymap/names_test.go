package keymap

import (
	"regexp"
	"strings"
	"testing"
)

// The notation is that of tea.KeyPressMsg.String(): a letter, or a name with
// modifiers in their fixed order.
func TestKeysAreWrittenAsTheyArrive(t *testing.T) {
	name := regexp.MustCompile(`^(ctrl\+)?(alt\+)?(shift\+)?([^ ]|enter|tab|esc|space|up|down|left|right|home|end|pgup|pgdown|delete|backspace)$`)
	for _, b := range Default() {
		for _, k := range b.Keys {
			if !name.MatchString(k) {
				t.Errorf("%s: no key is called %q", b.Action, k)
			}
			if strings.HasPrefix(k, "shift+") && len(k) == len("shift+x") {
				t.Errorf("%s: %q arrives as a capital", b.Action, k)
			}
		}
	}
}

// Help is a phrase, short is a word or two: they stand in columns.
func TestWordsOfTheHelp(t *testing.T) {
	for _, b := range Default() {
		if len(b.Help) > 70 || strings.HasSuffix(b.Help, ".") || b.Help[0] >= 'A' && b.Help[0] <= 'Z' {
			t.Errorf("%s: %q", b.Action, b.Help)
		}
		if len(b.Short) > 12 {
			t.Errorf("%s: %q is long for the line of keys", b.Action, b.Short)
		}
	}
}

// What lazydocker, k9s and dive users type: these do not move.
func TestTheKeysThatPeopleKnow(t *testing.T) {
	m := Default()
	for key, want := range map[string]Action{
		"s": Stop, "S": Start, "r": Restart, "p": Pause, "d": Remove, "a": Attach, "E": Shells, "e": Shells, "m": LogsMax, "D": Diff,
		"j": Down, "k": Up, "g": Top, "G": Bottom, "/": Filter, ":": Palette, "?": Help, "x": Help, "@": CommandLog, "y": Copy,
		"space": Mark, "v": Range, "A": ShowAll, "o": Sort, "R": Run, "2": ToContainer, "3": ToImages, "tab": NextPane,
		"[": PrevTab, "]": NextTab, "J": DetailDown, "K": DetailUp, "ctrl+d": DetailHalfDown, "ctrl+u": DetailHalfUp, "+": Zoom, "_": Unzoom,
		"enter": Open, "esc": Back, "q": Quit, "ctrl+c": Interrupt,
	} {
		if got, _ := m.Find(key, Containers, Lists, Everywhere); got != want {
			t.Errorf("%q in the containers is %q, want %q", key, got, want)
		}
	}
	for key, want := range map[string]Action{"t": Times, "w": Wrap, "x": OnlyHits, "P": Follow, "T": Since, "p": LayOut, "ctrl+s": SaveLog, "n": NextHit, "N": PrevHit, "s": Stop} {
		if got, _ := m.Find(key, Logs, Detail, Containers, Everywhere); got != want {
			t.Errorf("%q in a log is %q, want %q", key, got, want)
		}
	}
}
