package theme

import (
	"reflect"
	"regexp"
	"strings"
	"testing"

	"berth/tui/text"
)

// each calls f for every style of a theme.
func each(th Theme, f func(name string, st Style)) {
	v := reflect.ValueOf(th)
	for i := range v.NumField() {
		f(v.Type().Field(i).Name, Style(v.Field(i).String()))
	}
}

// A theme of sixteen colours follows the palette of the user's terminal, dark
// or light: no colour of its own, no background without a foreground, and
// never plain black or white letters on the terminal's own background.
func TestTheDefaultThemeReadsOnDarkAndLight(t *testing.T) {
	sgr := regexp.MustCompile(`^(\x1b\[[0-9;]+m)?$`)
	each(ANSI16(), func(name string, st Style) {
		if !sgr.MatchString(string(st)) {
			t.Errorf("%s is %q", name, st)
		}
		params := strings.Split(strings.TrimSuffix(strings.TrimPrefix(string(st), "\x1b["), "m"), ";")
		fore, back := "", ""
		for _, p := range params {
			switch {
			case p == "38" || p == "48":
				t.Errorf("%s has a colour that the palette does not decide", name)
			case len(p) == 2 && (p[0] == '3' || p[0] == '9'):
				fore = p
			case len(p) == 2 && p[0] == '4', len(p) == 3 && p[:2] == "10":
				back = p
			}
		}
		if back == "" && (fore == "30" || fore == "37" || fore == "97") {
			t.Errorf("%s cannot be read on one of the two: %q", name, st)
		}
		if back != "" && fore == "" {
			t.Errorf("%s has a background only: %q", name, st)
		}
	})
}

func TestTheOtherThemeHasNoColour(t *testing.T) {
	colour := regexp.MustCompile(`\x1b\[([0-9;]*;)?[349][0-9][;m]`)
	each(Mono(), func(name string, st Style) {
		if colour.MatchString(string(st)) {
			t.Errorf("%s is %q", name, st)
		}
	})
	// What must be seen without colour has an attribute.
	for name, st := range map[string]Style{"cursor": Mono().Cursor, "hit": Mono().Hit, "match": Mono().Match, "mark": Mono().Mark, "error": Mono().Bad, "focus": Mono().Focus} {
		if st == "" {
			t.Errorf("%s looks like text", name)
		}
	}
}

func TestLabelsGiveWay(t *testing.T) {
	long := strings.Repeat("long ", 20)
	for w := 2; w < 40; w++ {
		for _, f := range []Frame{{Title: long, Right: "r"}, {Title: "t", Right: long}, {Left: long, Footer: long}, {Title: "日本語日本語", Footer: "日本"}} {
			for _, l := range f.Draw(ANSI16(), nil, w, 2) {
				if text.Width(l) != w {
					t.Fatalf("%d wide in %d: %q", text.Width(l), w, l)
				}
			}
		}
	}
	got := Frame{Title: "title", Right: "right"}.Draw(Theme{}, nil, 14, 2)[0]
	if !strings.Contains(got, "title") || strings.Contains(got, "right") {
		t.Errorf("the wrong label gave way: %q", got)
	}
}
