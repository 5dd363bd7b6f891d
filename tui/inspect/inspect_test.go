package inspect

import (
	"strings"
	"testing"

	"berth/tui/text"
	"berth/tui/theme"
)

func TestColouringChangesNoLetter(t *testing.T) {
	th := theme.ANSI16()
	for line, colours := range map[string][]theme.Style{
		`  "Id": "abc",`:     {th.Key, th.String, th.Dim},
		`    "Pid": 42`:      {th.Key, th.Number},
		`"a\"b": [`:          {th.Key, th.Dim},
		`      "PATH=/bin",`: {th.String},
		`"Tty": true,`:       {th.Literal},
		`"x": null`:          {th.Literal},
		`},`:                 {th.Dim},
		``:                   nil,
		`"cut`:               {th.String},
	} {
		got := Colour(th, line)
		if text.Strip(got) != line {
			t.Errorf("%q became %q", line, text.Strip(got))
		}
		for _, c := range colours {
			if !strings.Contains(got, string(c)) {
				t.Errorf("%q lacks %q", got, c)
			}
		}
	}
}

func TestADocIsLines(t *testing.T) {
	d := New(theme.Theme{}, []byte("{\n  \"a\": \"x\u009b31m\"\n}\n"))
	if d.First() != 0 || d.End() != 3 || d.Line(2) != "}" || strings.Contains(d.Line(1), "\u009b") {
		t.Errorf("%d lines, %q", d.End(), d.Line(1))
	}
	if New(theme.Theme{}, nil).End() != 0 {
		t.Error("nothing has lines")
	}
}
