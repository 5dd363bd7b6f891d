package text

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
)

func TestCleanRemovesWhatATerminalWouldObey(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                             "plain",
		"a\x1b[2Jb":                         "ab",
		"title\x1b]0;owned\x07end":          "titleend",
		"clip\x1b]52;c;AAAA\x1b\\!":         "clip!",
		"c1 \u009b31mred":                   "c1 31mred",
		"dcs\x1bP+q544e\x1b\\x":             "dcsx",
		"cr\rover\x08\x7f":                  "crover",
		"two\nlines":                        "two lines",
		"end\n":                             "end",
		"col\x1b[31mour\x1b[0m":             "colour",
		"bell\a":                            "bell",
		"cut \x1b[":                         "cut ",
		"direction \u202egnp.exe":           "direction gnp.exe",
		"\x1b[?1049h\x1b[6n\x1b[c\x1b[>0qx": "x",
	} {
		got := Clean(in)
		if strings.ContainsAny(got, "\x1b\x07\x08\x7f\r\n\u009b\u202e") {
			t.Errorf("Clean(%q) = %q still holds a control", in, got)
		}
		if strings.ReplaceAll(got, "\uFFFD", "") != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestCleanSGRKeepsColoursAndClosesThem(t *testing.T) {
	got := CleanSGR("a\x1b[1;38;5;9mred\x1b[2J\x1b[Hb\tc")
	want := "a\x1b[1;38;5;9mredb   c\x1b[m"
	if got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}

// A terminal counts either code points or clusters; borders must hold on both.
func TestCleanedTextHasOneWidth(t *testing.T) {
	for _, s := range []string{"日本語", "👨‍👩‍👧‍👦 family", "👍🏽 ok", "❤️ heart", "e\u0301te\u0301", "🇩🇪 flag", "한글", "ｆｕｌｌ", "a\u200bb", "\u0301alone", "ไทย", "1️⃣ key"} {
		got := Clean(s)
		if ansi.StringWidth(got) != ansi.StringWidthWc(got) {
			t.Errorf("Clean(%q) = %q: %d clusters wide, %d code points wide", s, got, ansi.StringWidth(got), ansi.StringWidthWc(got))
		}
	}
}

func TestFitIsExact(t *testing.T) {
	for _, s := range []string{"", "abc", "日本語", "\x1b[31mred日\x1b[m", strings.Repeat("x", 300)} {
		for w := 0; w < 40; w++ {
			if got := Width(Fit(s, w)); got != w {
				t.Errorf("Fit(%q, %d) is %d wide", s, w, got)
			}
			if got := Width(FitLeft(s, w)); got != w {
				t.Errorf("FitLeft(%q, %d) is %d wide", s, w, got)
			}
		}
	}
}

func TestBlockIsExact(t *testing.T) {
	b := Block([]string{"日本語", "long line of text"}, 7, 3)
	if len(b) != 3 {
		t.Fatalf("%d lines", len(b))
	}
	for _, l := range Beside(b, b) {
		if Width(l) != 14 {
			t.Errorf("%q is %d wide", l, Width(l))
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\x1b[31m日本\x1b]8;;x\x07👨‍👩‍👧\t\u202e")
	f.Fuzz(func(t *testing.T, s string) {
		got := Clean(s)
		for _, r := range got {
			if r < 0x20 || r >= 0x7f && r < 0xa0 || isDirection(r) {
				t.Fatalf("Clean(%q) = %q holds %U", s, got, r)
			}
		}
		if a, b := ansi.StringWidth(got), ansi.StringWidthWc(got); a != b {
			t.Fatalf("Clean(%q) = %q: widths %d and %d", s, got, a, b)
		}
		if w := Width(Fit(CleanSGR(s), 20)); w != 20 {
			t.Fatalf("Fit(CleanSGR(%q), 20) is %d wide", s, w)
		}
	})
}

func TestWrapLosesNothingAndCarriesColours(t *testing.T) {
	in := "ab\x1b[31mcd日本ef\x1b[mgh"
	rows := Wrap(in, 3)
	want := []string{"ab\x1b[31mc\x1b[m", "\x1b[31md日\x1b[m", "\x1b[31m本e\x1b[m", "\x1b[31mf\x1b[mgh"}
	if strings.Join(rows, "|") != strings.Join(want, "|") {
		t.Errorf("got %q, want %q", rows, want)
	}
	if got := Strip(strings.Join(rows, "")); got != Strip(in) {
		t.Errorf("text is %q", got)
	}
	if got := Wrap("", 5); len(got) != 1 || got[0] != "" {
		t.Errorf("empty line: %q", got)
	}
}

func TestHighlight(t *testing.T) {
	if got := Highlight("abcabc", [][]int{{1, 2}, {4, 6}}, "<"); got != "a<b\x1b[mca<bc\x1b[m" {
		t.Errorf("%q", got)
	}
}
