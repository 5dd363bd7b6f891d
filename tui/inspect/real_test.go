package inspect

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"berth/tui/text"
	"berth/tui/theme"
)

// What is shown of a real container is its JSON, letter by letter, and every
// line of it has some colour.
func TestARealContainer(t *testing.T) {
	raw, err := os.ReadFile("../testdata/container.json")
	if err != nil {
		t.Fatal(err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, raw, "", "  "); err != nil {
		t.Fatal(err)
	}
	d := New(theme.ANSI16(), indented.Bytes())
	var shown []string
	for n := d.First(); n < d.End(); n++ {
		line := d.Line(n)
		if !strings.Contains(line, "\x1b[") {
			t.Errorf("line %d has no colour: %q", n, line)
		}
		shown = append(shown, text.Strip(line))
	}
	if got := strings.Join(shown, "\n"); got != strings.TrimSpace(indented.String()) {
		t.Error("the text is not the JSON")
	}
	var back any
	if err := json.Unmarshal([]byte(strings.Join(shown, "\n")), &back); err != nil {
		t.Errorf("what is shown is no JSON: %v", err)
	}
}

func FuzzColour(f *testing.F) {
	f.Add(`  "key": "va\"lue",`)
	f.Add(`"`)
	f.Fuzz(func(t *testing.T, line string) {
		line = text.Clean(line)
		if got := text.Strip(Colour(theme.ANSI16(), line)); strings.TrimRight(got, " ") != strings.TrimRight(line, " ") && !strings.Contains(line, ":") {
			t.Fatalf("%q became %q", line, got)
		}
	})
}
