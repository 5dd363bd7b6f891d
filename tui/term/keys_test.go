package term

import (
	"testing"

	tea "charm.land/bubbletea/v2"
)

func TestEncodeKey(t *testing.T) {
	plain, app := keyModes{}, keyModes{cursorKeys: true, keypad: true}
	for _, c := range []struct {
		key  tea.Key
		mode keyModes
		want string
	}{
		{tea.Key{Code: 'a', Text: "a"}, plain, "a"},
		{tea.Key{Code: 'a', Text: "A", Mod: tea.ModShift}, plain, "A"},
		{tea.Key{Code: 'a', Mod: tea.ModShift}, plain, "A"},
		{tea.Key{Code: '2', ShiftedCode: '@', Mod: tea.ModShift}, plain, "@"},
		{tea.Key{Code: tea.KeyExtended, Text: "日本"}, plain, "日本"},
		{tea.Key{Code: 'é', Text: "é"}, plain, "é"},
		{tea.Key{Code: 'a', Mod: tea.ModCtrl}, plain, "\x01"},
		{tea.Key{Code: 'A', Mod: tea.ModCtrl | tea.ModShift}, plain, "\x01"},
		{tea.Key{Code: ' ', Mod: tea.ModCtrl}, plain, "\x00"},
		{tea.Key{Code: '@', Mod: tea.ModCtrl}, plain, "\x00"},
		{tea.Key{Code: '[', Mod: tea.ModCtrl}, plain, "\x1b"},
		{tea.Key{Code: ']', Mod: tea.ModCtrl}, plain, "\x1d"},
		{tea.Key{Code: '/', Mod: tea.ModCtrl}, plain, "\x1f"},
		{tea.Key{Code: '1', Mod: tea.ModCtrl}, plain, ""},
		{tea.Key{Code: 'x', Mod: tea.ModAlt}, plain, "\x1bx"},
		{tea.Key{Code: 'x', Mod: tea.ModAlt | tea.ModCtrl}, plain, "\x1b\x18"},
		{tea.Key{Code: tea.KeyEnter}, plain, "\r"},
		{tea.Key{Code: tea.KeyEnter, Mod: tea.ModAlt}, plain, "\x1b\r"},
		{tea.Key{Code: tea.KeyTab}, plain, "\t"},
		{tea.Key{Code: tea.KeyTab, Mod: tea.ModShift}, plain, "\x1b[Z"},
		{tea.Key{Code: tea.KeyBackspace}, plain, "\x7f"},
		{tea.Key{Code: tea.KeyBackspace, Mod: tea.ModCtrl}, plain, "\x08"},
		{tea.Key{Code: tea.KeyBackspace, Mod: tea.ModAlt}, plain, "\x1b\x7f"},
		{tea.Key{Code: tea.KeyEscape}, plain, "\x1b"},
		{tea.Key{Code: tea.KeyUp}, plain, "\x1b[A"},
		{tea.Key{Code: tea.KeyUp}, app, "\x1bOA"},
		{tea.Key{Code: tea.KeyLeft, Mod: tea.ModCtrl}, app, "\x1b[1;5D"},
		{tea.Key{Code: tea.KeyRight, Mod: tea.ModShift | tea.ModAlt}, plain, "\x1b[1;4C"},
		{tea.Key{Code: tea.KeyHome}, plain, "\x1b[H"},
		{tea.Key{Code: tea.KeyEnd}, app, "\x1bOF"},
		{tea.Key{Code: tea.KeyPgUp}, plain, "\x1b[5~"},
		{tea.Key{Code: tea.KeyDelete, Mod: tea.ModCtrl}, plain, "\x1b[3;5~"},
		{tea.Key{Code: tea.KeyInsert}, plain, "\x1b[2~"},
		{tea.Key{Code: tea.KeyF1}, plain, "\x1bOP"},
		{tea.Key{Code: tea.KeyF4, Mod: tea.ModShift}, plain, "\x1b[1;2S"},
		{tea.Key{Code: tea.KeyF5}, plain, "\x1b[15~"},
		{tea.Key{Code: tea.KeyF12, Mod: tea.ModCtrl}, plain, "\x1b[24;5~"},
		{tea.Key{Code: tea.KeyKp5, Text: "5"}, plain, "5"},
		{tea.Key{Code: tea.KeyKp5, Text: "5"}, app, "\x1bOu"},
		{tea.Key{Code: tea.KeyKpEnter}, plain, "\r"},
		{tea.Key{Code: tea.KeyKpEnter}, app, "\x1bOM"},
		{tea.Key{Code: tea.KeyLeftShift}, plain, ""},
		{tea.Key{Code: tea.KeyMediaPlay}, plain, ""},
		{tea.Key{Code: tea.KeyCapsLock, Mod: tea.ModCtrl}, plain, ""},
	} {
		if got := string(encodeKey(c.key, c.mode)); got != c.want {
			t.Errorf("%v (%+v) is sent as %q, want %q", c.key, c.mode, got, c.want)
		}
	}
}

func TestEncodeMouse(t *testing.T) {
	for _, c := range []struct {
		msg  tea.MouseMsg
		sgr  bool
		want string
	}{
		{tea.MouseClickMsg{Button: tea.MouseLeft}, true, "\x1b[<0;4;6M"},
		{tea.MouseReleaseMsg{Button: tea.MouseRight}, true, "\x1b[<2;4;6m"},
		{tea.MouseWheelMsg{Button: tea.MouseWheelDown, Mod: tea.ModCtrl}, true, "\x1b[<81;4;6M"},
		{tea.MouseMotionMsg{Button: tea.MouseNone}, true, "\x1b[<35;4;6M"},
		{tea.MouseMotionMsg{Button: tea.MouseMiddle, Mod: tea.ModShift | tea.ModAlt}, true, "\x1b[<45;4;6M"},
		{tea.MouseClickMsg{Button: tea.MouseLeft}, false, "\x1b[M $&"},
		{tea.MouseReleaseMsg{Button: tea.MouseLeft}, false, "\x1b[M#$&"},
		{tea.MouseClickMsg{Button: tea.MouseBackward}, true, ""},
	} {
		if got := string(encodeMouse(c.msg, 3, 5, c.sgr)); got != c.want {
			t.Errorf("%#v is sent as %q, want %q", c.msg, got, c.want)
		}
	}
	if encodeMouse(tea.MouseClickMsg{Button: tea.MouseLeft}, 300, 1, false) != nil {
		t.Error("a column that X10 cannot say was said")
	}
}

// Nothing in a paste can end its bracket.
func TestEncodePaste(t *testing.T) {
	if got := string(encodePaste("a\r\nb\nc\x1b[201~rm", true)); got != "\x1b[200~a\rb\rc[201~rm\x1b[201~" {
		t.Errorf("%q", got)
	}
	if got := string(encodePaste("a\n", false)); got != "a\r" {
		t.Errorf("%q", got)
	}
}
