// Package picture draws a terminal screen as SVG, cell by cell, so that the
// pictures in the documentation come from the console itself.
//
// The screen is whatever has cells: the emulator of package tuitest, or one of
// x/vt. The sixteen colours are given by a [Palette]; a cell that sets none has
// the palette's own foreground and background.
package picture

import (
	"fmt"
	"html"
	"image/color"
	"io"
	"strings"

	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"
)

// Screen is a grid of cells. A nil cell is blank; the cell after a wide one is
// not asked for.
type Screen interface {
	Width() int
	Height() int
	CellAt(x, y int) *uv.Cell
}

// Palette gives the colours of a terminal as #rrggbb.
type Palette struct {
	Foreground, Background string
	Colours                [16]string
}

// Dark and Light are two palettes that people use.
var (
	Dark = Palette{Foreground: "#d8dee9", Background: "#16181d", Colours: [16]string{
		"#3b4252", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#c8ccd4",
		"#6b7280", "#ff7b86", "#b5e890", "#ffd68a", "#82c4ff", "#dd9cf0", "#7fd7e2", "#ffffff"}}
	Light = Palette{Foreground: "#2b303b", Background: "#fdfdfb", Colours: [16]string{
		"#2b303b", "#b3261e", "#2e7d32", "#8a6100", "#1a5fb4", "#8e3fa8", "#00707a", "#b8bcc4",
		"#7a828e", "#c62828", "#388e3c", "#a87400", "#2a6fd0", "#a14fbb", "#00838f", "#ffffff"}}
)

// The size of one cell in pixels.
const (
	cellWidth  = 8.4
	cellHeight = 18
	baseline   = 13.5
	stroke     = 1.2 // of box drawings
	margin     = 14
)

// SVG writes the screen as a standalone SVG with rounded corners.
func SVG(w io.Writer, s Screen, p Palette) error {
	width := float64(s.Width())*cellWidth + 2*margin
	height := float64(s.Height())*cellHeight + 2*margin
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" rx="8" fill="%s"/>`+"\n", p.Background)
	fmt.Fprintf(&b, `<g font-family="'DejaVu Sans Mono','JetBrains Mono',Menlo,Consolas,monospace" font-size="14" xml:space="preserve">`+"\n")
	for y := range s.Height() {
		row := runs(s, y, p)
		grounds(&b, row, y)
		for _, r := range row {
			r.write(&b, y)
		}
	}
	b.WriteString("</g>\n</svg>\n")
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("writing the picture: %w", err)
	}
	return nil
}

// run is neighbouring cells that look the same.
type run struct {
	x, cells  int
	text      strings.Builder
	fg, bg    string
	bold      bool
	faint     bool
	underline bool
}

// runs cuts a row into runs. What is not ASCII stands alone, so that a font with
// other widths cannot shift its neighbours.
func runs(s Screen, y int, p Palette) []*run {
	var out []*run
	for x := 0; x < s.Width(); {
		c := s.CellAt(x, y)
		if c == nil {
			c = &uv.Cell{Content: " ", Width: 1}
		}
		content, n := c.Content, max(c.Width, 1)
		if content == "" {
			content = " "
		}
		r := look(c.Style, p)
		r.x, r.cells = x, n
		r.text.WriteString(content)
		x += n
		if len(out) > 0 && content[0] < 0x7f && n == 1 {
			if last := out[len(out)-1]; last.same(r) && last.text.String()[0] < 0x7f {
				last.text.WriteString(content)
				last.cells += n
				continue
			}
		}
		out = append(out, r)
	}
	return out
}

// same tells whether two runs look the same.
func (r *run) same(o *run) bool {
	return r.fg == o.fg && r.bg == o.bg && r.bold == o.bold && r.faint == o.faint && r.underline == o.underline
}

// look resolves a style.
func look(st uv.Style, p Palette) *run {
	r := &run{fg: p.hex(st.Fg, p.Foreground), bg: p.hex(st.Bg, "")}
	r.bold = st.Attrs&uv.AttrBold != 0
	r.faint = st.Attrs&uv.AttrFaint != 0
	r.underline = st.Underline != 0
	if st.Attrs&uv.AttrReverse != 0 {
		r.fg, r.bg = r.bg, r.fg
		if r.fg == "" {
			r.fg = p.Background
		}
	}
	return r
}

// grounds draws the backgrounds of a row. Neighbours of one colour are one
// rectangle: between two of them a renderer would let a seam shine through.
func grounds(b *strings.Builder, row []*run, y int) {
	for from := 0; from < len(row); {
		to, cells := from, 0
		for ; to < len(row) && row[to].bg == row[from].bg; to++ {
			cells += row[to].cells
		}
		if r := row[from]; r.bg != "" {
			fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%d" fill="%s"/>`+"\n", margin+float64(r.x)*cellWidth, margin+float64(y)*cellHeight, float64(cells)*cellWidth+0.3, cellHeight, r.bg)
		}
		from = to
	}
}

// write draws a run: its letters, or shapes for the signs
// that must meet their neighbours without a gap.
func (r *run) write(b *strings.Builder, y int) {
	x, top := margin+float64(r.x)*cellWidth, margin+float64(y)*cellHeight
	s := r.text.String()
	if strings.TrimSpace(s) == "" && !r.underline {
		return
	}
	if path, ok := box(s, x, top); ok {
		fmt.Fprintf(b, `<path d="%s" fill="none" stroke="%s" stroke-width="%.1f"/>`+"\n", path, r.fg, stroke)
		return
	}
	if eighths := strings.Index(blocks, s); eighths >= 0 {
		h := float64(eighths/len("▁")+1) / 8 * cellHeight
		fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n", x, top+cellHeight-h, cellWidth, h, r.fg)
		return
	}
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" fill="%s"`, x, top+baseline, r.fg)
	if r.bold {
		b.WriteString(` font-weight="bold"`)
	}
	if r.faint {
		b.WriteString(` opacity="0.6"`)
	}
	if r.underline {
		b.WriteString(` text-decoration="underline"`)
	}
	fmt.Fprintf(b, ` textLength="%.1f" lengthAdjust="spacingAndGlyphs">%s</text>`+"\n", float64(r.cells)*cellWidth, html.EscapeString(s))
}

// blocks are the lower eighths of a cell, drawn as rectangles.
const blocks = "▁▂▃▄▅▆▇█"

// box draws a line or a corner as a path, since fonts leave gaps between them.
func box(s string, x, y float64) (path string, ok bool) {
	cx, cy, right, bottom := x+cellWidth/2, y+cellHeight/2.0, x+cellWidth, y+cellHeight
	line := func(x1, y1, x2, y2 float64) string { return fmt.Sprintf("M%.1f %.1fL%.1f %.1f", x1, y1, x2, y2) }
	curve := func(x1, y1, x2, y2 float64) string {
		return fmt.Sprintf("M%.1f %.1fQ%.1f %.1f %.1f %.1f", x1, y1, cx, cy, x2, y2)
	}
	switch s {
	case "─":
		return line(x, cy, right, cy), true
	case "│":
		return line(cx, y, cx, bottom), true
	case "╭":
		return curve(cx, bottom, right, cy), true
	case "╮":
		return curve(x, cy, cx, bottom), true
	case "╰":
		return curve(cx, y, right, cy), true
	case "╯":
		return curve(x, cy, cx, y), true
	}
	return "", false
}

// hex is a colour as the palette shows it.
func (p Palette) hex(c color.Color, unset string) string {
	switch c := c.(type) {
	case nil:
		return unset
	case ansi.BasicColor:
		return p.Colours[c&15]
	case ansi.IndexedColor:
		if c < 16 {
			return p.Colours[c]
		}
	}
	r, g, b, _ := c.RGBA()
	return fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8)
}
