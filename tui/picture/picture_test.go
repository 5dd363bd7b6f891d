package picture

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/charmbracelet/x/vt"
)

func draw(t *testing.T, screen string, p Palette) string {
	t.Helper()
	e := vt.NewEmulator(20, 3)
	if _, err := e.WriteString(screen); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := SVG(&b, e, p); err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(strings.NewReader(b.String()))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("not XML: %v\n%s", err, b.String())
		}
	}
	return b.String()
}

func TestAScreenBecomesAPicture(t *testing.T) {
	got := draw(t, "a<b>&\x1b[1;32mgood\x1b[m \x1b[7mrev\x1b[m\x1b[4mu\x1b[m\r\n日本\x1b[38;2;1;2;3mrgb\x1b[48;5;4m \x1b[m\x1b[2mfaint\x1b[m\r\n╭─╮│╰╯▁█", Dark)
	for _, want := range []string{"a&lt;b&gt;&amp;", `fill="` + Dark.Colours[2] + `" font-weight="bold"`, `fill="` + Dark.Background + `" textLength`,
		`text-decoration="underline"`, ">日<", "#010203", `fill="` + Dark.Colours[4] + `"/>`, `opacity="0.6"`, `<path d="M`, `height="18.0"`, `height="2.2"`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if light := draw(t, "x", Light); !strings.Contains(light, Light.Background) {
		t.Error("the palette is not used")
	}
}

// Letters and bars on one colour stand on one rectangle, without seams.
func TestNeighboursShareOneBackground(t *testing.T) {
	got := draw(t, "\x1b[48;5;4ma ▁▂b\x1b[m", Dark)
	if n := strings.Count(got, `fill="`+Dark.Colours[4]+`"/>`); n != 1 {
		t.Errorf("%d rectangles in\n%s", n, got)
	}
}

func TestAWriteErrorIsReported(t *testing.T) {
	if err := SVG(full{}, vt.NewEmulator(2, 2), Dark); err == nil {
		t.Error("no error")
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, io.ErrShortWrite }
