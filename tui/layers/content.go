package layers

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
	"github.com/alecthomas/chroma/v2"
	"github.com/aymanbagabas/go-udiff"
	"github.com/containerd/errdefs"

	"berth/tui/layers/syntax"
	"berth/tui/layers/tree"
	"berth/tui/text"
	"berth/tui/theme"
)

const (
	// maxContent is how much of a file is fetched to be looked at.
	maxContent = 1 << 20
	// maxHex is how much of a binary file is shown.
	maxHex = 256 << 10
	// maxColoured is the largest file that is highlighted.
	maxColoured = 256 << 10
	// maxLine is how much of a line is shown, in bytes.
	maxLine = 4096
	tabStop = 4
)

// file is one file to be looked at, and where its versions are.
type file struct {
	path  string
	kind  tree.Kind
	place place
	here  []int // layers that may hold it when that of the place does not
	below []int // layers that may hold the version before, the nearest first
}

type fileMsg struct {
	gen, seq int
	lines    []string // the file, ready to draw
	diff     []string // against the version before; nil without one
	against  string   // names that version
	note     string   // "hex", "first 1M", …
	missed   error    // why the version before could not be read
	err      error
}

// loadFile fetches a file and the version of it that was there before.
func (m *Model) loadFile(f file, seq int) tea.Cmd {
	gen, ctx, th, from := m.gen, m.ctx, m.cfg.Theme, m.source()
	return func() tea.Msg {
		msg := fileMsg{gen: gen, seq: seq}
		var now, before []byte
		var cut bool
		if f.kind != tree.Deleted {
			if now, cut, msg.err = readFile(func() (io.ReadCloser, error) { return from.open(ctx, f) }); msg.err != nil {
				return msg
			}
			msg.lines, msg.note = render(f.path, now, cut, th)
		}
		if f.kind == tree.Added || f.kind == tree.Unchanged {
			return msg
		}
		for _, layer := range f.below {
			var err error
			before, _, err = readFile(func() (io.ReadCloser, error) { return from.berth.LayerFile(ctx, from.image, layer, f.path) })
			if errdefs.IsNotFound(err) {
				continue
			}
			if err != nil {
				msg.missed = fmt.Errorf("no difference is shown: %w", err)
				return msg
			}
			msg.against = fmt.Sprintf("layer %d", layer)
			msg.diff = diffLines(before, now, msg.against, th)
			break
		}
		return msg
	}
}

// readFile reads at most maxContent bytes; cut tells that there was more.
func readFile(open func() (io.ReadCloser, error)) (data []byte, cut bool, err error) {
	r, err := open()
	if err != nil {
		return nil, false, err
	}
	defer r.Close()
	data, err = io.ReadAll(io.LimitReader(r, maxContent+1))
	if len(data) > maxContent {
		return data[:maxContent], true, err
	}
	return data, false, err
}

// Read makes a file into lines to be looked at: highlighted text, or a hex dump.
// The note says what it is taken for, and whether it was cut.
func Read(path string, open func() (io.ReadCloser, error), th theme.Theme) (lines []string, note string, err error) {
	data, cut, err := readFile(open)
	if err != nil {
		return nil, "", err
	}
	lines, note = render(path, data, cut, th)
	return lines, note, nil
}

// render makes a file's content into lines: highlighted text, or a hex dump.
func render(path string, data []byte, cut bool, th theme.Theme) (lines []string, note string) {
	var notes []string
	if cut {
		notes = append(notes, "first "+size(maxContent))
	}
	if isBinary(data) {
		notes = append(notes, "hex")
		if len(data) > maxHex {
			data = data[:maxHex]
			notes[0] = "first " + size(maxHex)
		}
		return hexDump(data, th), strings.Join(notes, ", ")
	}
	plain := textLines(data)
	if len(data) <= maxColoured {
		if lexer := syntax.Match(path); lexer != nil {
			notes = append(notes, lexer.Config().Name)
			return highlight(lexer, plain, th), strings.Join(notes, ", ")
		}
	}
	return plain, strings.Join(notes, ", ")
}

// isBinary looks at the beginning of a file.
func isBinary(data []byte) bool {
	head := data[:min(len(data), 8000)]
	if bytes.IndexByte(head, 0) >= 0 {
		return true
	}
	bad := 0
	for rest := head; len(rest) > utf8.UTFMax; {
		r, n := utf8.DecodeRune(rest)
		if r == utf8.RuneError && n == 1 {
			bad++
		}
		rest = rest[n:]
	}
	return bad > len(head)/10
}

// textLines splits text into clean lines without tabs.
func textLines(data []byte) []string {
	s := strings.TrimSuffix(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n")
	if s == "" {
		return []string{}
	}
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if len(l) > maxLine {
			l = l[:maxLine] + text.Ellipsis
		}
		lines[i] = text.Clean(expandTabs(l))
	}
	return lines
}

// expandTabs puts spaces for tabs: a tab drawn by the terminal would not stay in its
// pane. Columns are counted in code points, which is right for source code.
func expandTabs(s string) string {
	if !strings.Contains(s, "\t") {
		return s
	}
	var b strings.Builder
	col := 0
	for _, r := range s {
		if r != '\t' {
			b.WriteRune(r)
			col++
			continue
		}
		n := tabStop - col%tabStop
		b.WriteString(text.Spaces(n))
		col += n
	}
	return b.String()
}

// highlight colours lines that are clean already.
func highlight(lexer chroma.Lexer, lines []string, th theme.Theme) []string {
	tokens, err := chroma.Coalesce(lexer).Tokenise(nil, strings.Join(lines, "\n"))
	if err != nil {
		return lines // without colours it is still the file
	}
	out := make([]string, 0, len(lines))
	var b strings.Builder
	for _, tok := range tokens.Tokens() {
		style := tokenStyle(tok.Type, th)
		for i, part := range strings.Split(tok.Value, "\n") {
			if i > 0 {
				out = append(out, b.String())
				b.Reset()
			}
			b.WriteString(style.Render(part))
		}
	}
	if b.Len() > 0 {
		out = append(out, b.String())
	}
	return out
}

// tokenStyle maps the hundred token types of chroma to the few meanings of a theme.
func tokenStyle(t chroma.TokenType, th theme.Theme) theme.Style {
	switch {
	case t.InCategory(chroma.Comment):
		return th.Dim
	case t.InCategory(chroma.Keyword), t == chroma.NameTag, t == chroma.NameAttribute, t == chroma.NameProperty:
		return th.Key
	case t.InSubCategory(chroma.LiteralString):
		return th.String
	case t.InSubCategory(chroma.LiteralNumber):
		return th.Number
	case t.InCategory(chroma.Literal), t == chroma.NameBuiltin, t == chroma.NameConstant:
		return th.Literal
	case t == chroma.NameFunction, t == chroma.NameClass:
		return th.Strong
	}
	return ""
}

// hexDump is the layout of "hexdump -C".
func hexDump(data []byte, th theme.Theme) []string {
	lines := make([]string, 0, len(data)/16+1)
	for off := 0; off < len(data); off += 16 {
		row := data[off:min(off+16, len(data))]
		var hex, chars strings.Builder
		for i := range 16 {
			if i == 8 {
				hex.WriteByte(' ')
			}
			if i >= len(row) {
				hex.WriteString("   ")
				continue
			}
			fmt.Fprintf(&hex, "%02x ", row[i])
			if row[i] >= 0x20 && row[i] < 0x7f {
				chars.WriteByte(row[i])
			} else {
				chars.WriteByte('.')
			}
		}
		lines = append(lines, th.Dim.Render(fmt.Sprintf("%08x", off))+"  "+hex.String()+" "+th.String.Render(chars.String()))
	}
	return lines
}

// diffLines is a unified difference ready to draw.
func diffLines(before, now []byte, label string, th theme.Theme) []string {
	if isBinary(before) || isBinary(now) {
		if bytes.Equal(before, now) {
			return []string{"the content is the same; mode, owner or attributes changed"}
		}
		return []string{fmt.Sprintf("binary files differ: %s before, %s now", size(int64(len(before))), size(int64(len(now))))}
	}
	a, b := strings.Join(textLines(before), "\n")+"\n", strings.Join(textLines(now), "\n")+"\n"
	if a == b {
		return []string{"the content is the same; mode, owner or attributes changed"}
	}
	unified := udiff.Unified(label, "now", a, b)
	lines := strings.Split(strings.TrimSuffix(unified, "\n"), "\n")
	if len(lines) > 2 {
		lines = lines[2:] // the two names are in the title already
	}
	for i, l := range lines {
		switch {
		case strings.HasPrefix(l, "@@"):
			lines[i] = th.Info.Render(l)
		case strings.HasPrefix(l, "-"):
			lines[i] = th.Bad.Render(l)
		case strings.HasPrefix(l, "+"):
			lines[i] = th.Good.Render(l)
		}
	}
	return lines
}
