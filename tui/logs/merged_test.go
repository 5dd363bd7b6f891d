package logs

import (
	"strings"
	"testing"
	"time"

	"berth/tui/list"
	"berth/tui/text"
	"berth/tui/theme"
)

func TestSpansOfTime(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)
	at := func(s string) time.Time {
		when, err := time.Parse("2006-01-02 15:04:05", s)
		if err != nil && s != "" {
			t.Fatal(err)
		}
		return when
	}
	for _, c := range []struct{ text, since, until string }{
		{"10m", "2026-11-23 09:20:00", ""},
		{" 2h..30m ", "2026-11-23 07:30:00", "2026-11-23 09:00:00"},
		{"3d", "2026-11-20 09:30:00", ""},
		{"..1h", "", "2026-11-23 08:30:00"},
		{"09:14", "2026-11-23 09:14:00", ""},
		{"23:00:05", "2026-11-22 23:00:05", ""},
		{"2026-11-01", "2026-11-01 00:00:00", ""},
		{"2026-11-01 08:00..2026-11-02T08:00", "2026-11-01 08:00:00", "2026-11-02 08:00:00"},
		{"", "", ""},
	} {
		got, err := ParseSpan(c.text, now)
		if err != nil || !got.Since.Equal(at(c.since)) || !got.Until.Equal(at(c.until)) {
			t.Errorf("%q is %v to %v, %v", c.text, got.Since, got.Until, err)
		}
	}
	for _, bad := range []string{"soon", "-5m", "1h..2h", "25:00", "xd", "1.5d"} {
		if got, err := ParseSpan(bad, now); err == nil {
			t.Errorf("%q is %v", bad, got)
		}
	}
	if s, _ := ParseSpan("2h..1h", now); s.Flags() != " --since 2026-11-23T07:30:00Z --until 2026-11-23T08:30:00Z" || s.String() != "2h..1h" {
		t.Errorf("flags%s", s.Flags())
	}
}

// Lines of several containers have their names in front, as wide as the longest.
func TestNamesInFrontOfLines(t *testing.T) {
	v := NewView(theme.ANSI16())
	v.Reset([]Source{{"1", "web"}, {"2", "db-with-a-name-that-is-long"}}, 1, false)
	v.Append([]Line{{at, "hello", false, 0}, {at, "ready", false, 1}, {"", "more", false, 1}})
	rows := v.Lines(40, 3, nil)
	if got := text.Strip(strings.Join(rows, "|")); got != "web               │hello                |db-with-a-name-th…│ready                |db-with-a-name-th…│more                 " {
		t.Errorf("%q", got)
	}
	if rows[0][:5] == rows[1][:5] {
		t.Error("both names have the same colour")
	}
	v.Search(list.NewFilter("db-"))
	if _, all := v.Pager().Hits(); all != 2 {
		t.Errorf("%d lines of db", all)
	}
	if v.End(0, nil); v.Ended() {
		t.Error("one of two has ended, not both")
	}
	if v.End(1, nil); !v.Ended() || !strings.Contains(v.Footer(), "end of log") {
		t.Error("both have ended")
	}
	if i, from, ok := v.Rejoin("2"); !ok || i != 1 || from != (Mark{at, 1}) || v.Ended() {
		t.Errorf("source %d goes on after %v", i, from)
	}
	if _, _, ok := v.Rejoin("2"); ok {
		t.Error("it is read on twice")
	}
}

// A line that is JSON is laid out; others, and what only looks like it, stay.
func TestJSONIsLaidOut(t *testing.T) {
	v := NewView(theme.ANSI16())
	v.Append([]Line{{Text: "plain {not json}"}, {Text: ` {"level":"error","n":3,"who":["a\u001b[2J"]}`}, {Text: "{broken"}, {Text: "after"}})
	want := `plain {not json}|{|  "level": "error",|  "n": 3,|  "who": [|    "a\u001b[2J"|  ]|}|{broken|after`
	v.TogglePretty()
	rows := v.Lines(30, 10, nil)
	for i := range rows {
		rows[i] = strings.TrimRight(text.Strip(rows[i]), " ")
	}
	if got := strings.Join(rows, "|"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if row := v.Lines(30, 10, nil)[2]; !strings.Contains(row, string(theme.ANSI16().Key)) {
		t.Errorf("no colours: %q", row)
	}
	v.Search(list.NewFilter(`"level":"error"`)) // as it was written
	if _, all := v.Pager().Hits(); all != 1 {
		t.Errorf("%d hits", all)
	}
	v.Reset(nil, 2, true)
	if on := v.TogglePretty(); on {
		t.Error("it is forgotten for the next container")
	}
}

func TestLinesAreWrittenAsTheyCame(t *testing.T) {
	var b strings.Builder
	line := Line{at, "a\x1b[31mb\t", true, 1}
	for _, w := range []Writer{{}, {Times: true}, {Times: true, Names: []string{"web", "db"}}, {Only: list.NewFilter("ab")}, {Only: list.NewFilter("!ab")}} {
		if _, err := w.Line(&b, line); err != nil {
			t.Fatal(err)
		}
	}
	raw := "a\x1b[31mb\t\n"
	if want := raw + at + " " + raw + at + " db | " + raw + raw; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}
