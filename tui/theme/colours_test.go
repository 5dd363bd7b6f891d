package theme

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/charmbracelet/colorprofile"
)

func TestStylesAsPeopleWriteThem(t *testing.T) {
	for s, want := range map[string]Style{
		"": "", "none": "", "bold": "\x1b[1m", "red": "\x1b[31m", "bright-red on black": "\x1b[91;40m",
		"bold #ffaf00 on 24": "\x1b[1;38;2;255;175;0;48;5;24m", "UNDERLINE Blue": "\x1b[4;34m",
	} {
		if got, err := Parse(s); err != nil || got != want {
			t.Errorf("%q is %q (%v), want %q", s, got, err, want)
		}
	}
	for _, s := range []string{"reddish", "#fff", "#gggggg", "256", "-1", "on", "bold on beige"} {
		if got, err := Parse(s); err == nil && s != "on" {
			t.Errorf("%q is %q", s, got)
		}
	}
}

// contrast is the ratio of WCAG 2 between two colours.
func contrast(a, b [3]float64) float64 {
	l := func(c [3]float64) float64 {
		for i, v := range c {
			if v /= 255; v <= 0.04045 {
				c[i] = v / 12.92
			} else {
				c[i] = math.Pow((v+0.055)/1.055, 2.4)
			}
		}
		return 0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2]
	}
	x, y := l(a), l(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// colourOf is the 24-bit colour that a style sets, before (38) or behind (48).
func colourOf(st Style, kind string) (out [3]float64, ok bool) {
	m := regexp.MustCompile(kind + `;2;(\d+);(\d+);(\d+)`).FindStringSubmatch(string(st))
	for i := range out {
		if m != nil {
			out[i], _ = strconv.ParseFloat(m[i+1], 64)
		}
	}
	return out, m != nil
}

// Everything that is read has the contrast that WCAG 2 wants of text (4.5; 7 in the
// theme of that name) on what is behind it.
func TestPalettesAreReadable(t *testing.T) {
	for name, least := range map[string]float64{"dark": 4.5, "light": 4.5, "contrast": 7} {
		th, ok := Named(name)
		if !ok {
			t.Fatalf("there is no theme %s", name)
		}
		each(th, func(meaning string, st Style) {
			behind, ok := colourOf(st, "48")
			if !ok {
				behind, _ = colourOf(th.Base, "48")
			}
			before, ok := colourOf(st, "38")
			if !ok {
				before, _ = colourOf(th.Base, "38")
			}
			want := least
			if meaning == "Border" {
				want = 1.8 // a line, not a text
			}
			if got := contrast(before, behind); got < want {
				t.Errorf("%s: %s has a contrast of %.1f, want %.1f", name, meaning, got, want)
			}
		})
	}
}

func TestThemesOfPoorTerminals(t *testing.T) {
	dark, _ := Named("dark")
	for p, want := range map[colorprofile.Profile]Theme{
		colorprofile.NoTTY: Mono(), colorprofile.ASCII: Mono(), colorprofile.ANSI: ANSI16(), colorprofile.ANSI256: dark, colorprofile.TrueColor: dark,
	} {
		if got := For(dark, p); got != want {
			t.Errorf("profile %v has another theme", p)
		}
	}
	if For(Mono(), colorprofile.ANSI) != Mono() {
		t.Error("mono became coloured")
	}
}

func TestTheBaseIsUnderAllThatHasNoColour(t *testing.T) {
	th := Theme{Base: "\x1b[37;40m"}
	for line, want := range map[string]string{
		"ab":                   "\x1b[37;40mab\x1b[m",
		"\x1b[1ma\x1b[mb":      "\x1b[37;40m\x1b[1ma\x1b[m\x1b[37;40mb\x1b[m",
		"\x1b[0;31ma\x1b[39mb": "\x1b[37;40m\x1b[m\x1b[37;40m\x1b[31ma\x1b[m\x1b[37;40mb\x1b[m",
		"\x1b[2Ka\x1b[":        "\x1b[37;40m\x1b[2Ka\x1b[\x1b[m",
	} {
		if got := th.Paint(line); got != want {
			t.Errorf("%q is painted as %q, want %q", line, got, want)
		}
	}
	if s := "x\x1b[m"; ANSI16().Paint(s) != s {
		t.Error("a theme without a base painted")
	}
	if len(Meanings()) < 20 || strings.Contains(strings.Join(Meanings(), " "), "B") {
		t.Errorf("meanings %v", Meanings())
	}
}
