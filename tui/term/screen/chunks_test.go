package screen

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// drawn is everything that can be seen of a terminal.
func drawn(t *Terminal) string {
	var b []byte
	w, h := t.Size()
	for n := t.First(); n < t.Top()+h; n++ {
		b = append(t.AppendLine(b, n, w, nil), '\n')
	}
	return string(b) + t.Title()
}

// How the bytes are cut into pieces on their way must not be seen.
func FuzzChunks(f *testing.F) {
	f.Add("日本語 \x1b[31mred\x1b[0m e\u0301\r\n\x1b]0;title\a\x1b[2;3Htext\xe3\x81x", uint8(3))
	recordings, _ := filepath.Glob("testdata/*.rec")
	for _, r := range recordings {
		data, err := os.ReadFile(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data), uint8(7))
	}
	f.Fuzz(func(t *testing.T, s string, step uint8) {
		whole, pieces := New(30, 10, 50), New(30, 10, 50)
		whole.Write([]byte(s))
		for rest := []byte(s); len(rest) > 0; {
			n := min(int(step)+1, len(rest))
			pieces.Write(rest[:n])
			rest = rest[n:]
		}
		if a, b := drawn(whole), drawn(pieces); a != b {
			t.Fatalf("%q in pieces of %d: got\n%s\nwant\n%s", s, step+1, b, a)
		}
		if a, b := string(whole.Replies()), string(pieces.Replies()); a != b {
			t.Fatalf("replies %q and %q", a, b)
		}
	})
}

func TestTheRingOfHistory(t *testing.T) {
	text := func(h *history) string {
		var b strings.Builder
		for i := range h.lines {
			b.WriteRune(h.at(i).cells[0].char)
		}
		return b.String()
	}
	h := history{max: 4}
	for _, r := range "abcdefg" {
		h.push(line{cells: []Cell{{char: r}, {}}})
	}
	if got := text(&h); got != "defg" || h.pushed != 7 {
		t.Fatalf("%q after %d", got, h.pushed)
	}
	if len(h.at(0).cells) != 1 {
		t.Error("trailing blanks were kept")
	}
	if l, ok := h.pop(); !ok || l.cells[0].char != 'g' {
		t.Error("the youngest does not come back first")
	}
	h.push(line{cells: []Cell{{char: 'h'}}})
	h.push(line{cells: []Cell{{char: 'i'}}})
	if got := text(&h); got != "efhi" {
		t.Errorf("%q", got)
	}
	h.clear()
	if _, ok := h.pop(); ok || h.pushed != 8 {
		t.Error("something is left")
	}
	none := history{}
	none.push(line{cells: []Cell{{char: 'x'}}})
	if len(none.lines) != 0 || none.pushed != 1 {
		t.Error("a history of no lines keeps some")
	}
}

// A cell is copied, compared and scrolled millions of times a second.
func TestCellsAreSmall(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { _ = New(1, 1, 0) }); n > 20 {
		t.Errorf("a terminal takes %v allocations", n)
	}
	term := New(80, 24, 100)
	chunk := []byte(strings.Repeat("some text that is written \x1b[32mall the time\x1b[0m\r\n", 50))
	for range 20 {
		term.Write(chunk)
	}
	if n := testing.AllocsPerRun(100, func() { term.Write(chunk) }); n > 2 {
		t.Errorf("50 lines of text take %v allocations", n)
	}
}

func TestMarkedCellsAreReversed(t *testing.T) {
	term := after(6, 1, "ab\x1b[7mcd")
	got := string(term.AppendLine(nil, 0, 6, func(x int) bool { return x >= 1 && x <= 2 }))
	if want := "a\x1b[0;7mb\x1b[0mc\x1b[0;7md\x1b[0m  "; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAnEmojiAndASkinToneStayTwoCells(t *testing.T) {
	term := after(8, 1, "👍🏽!")
	exact(t, term)
	if got := string(term.AppendLine(nil, 0, 8, nil)); got != "👍  !   " {
		t.Errorf("%q", got)
	}
}

func TestClustersAreBounded(t *testing.T) {
	term := New(10, 2, 0)
	term.Write([]byte("a" + strings.Repeat("\u0301", 10_000)))
	exact(t, term)
	if n := len(term.String()); n > 4*maxClusterLen {
		t.Errorf("a cell holds %d bytes", n)
	}
	var all strings.Builder
	for i := range 2 * maxClusters {
		all.WriteString(string(rune(0x4e00+i%0x5000)) + string(rune(0x300+i/0x5000)))
	}
	term.Write([]byte(all.String()))
	exact(t, term)
	if n := len(term.clusters.list); n > maxClusters {
		t.Errorf("%d clusters are kept", n)
	}
}

func TestTheAlternateScreenInAllItsModes(t *testing.T) {
	for in, want := range map[string]string{
		"ab\x1b[?47hX\x1b[?47lY":                           "ab Y",
		"ab\x1b[?1047hX\x1b[?1047lY":                       "ab Y",
		"ab\x1b[?1048h\x1b[4;4H\x1b[?1048lY":               "abY",
		"ab\x1b[?1049h\x1b[?1049hX\x1b[?1049l\x1b[?1049lY": "abY",
		"ab\x1b[?1049l\r\nY":                               "ab\nY",
		"ab\x1b[?1049hX\x1bcY":                             "Y",
	} {
		shows(t, after(10, 4, in), want)
	}
	// What the alternate screen scrolls is no history.
	term := after(10, 4, "\x1b[?1049h"+strings.Repeat("line\r\n", 50)+"\x1b[?1049l")
	if term.First() != term.Top() {
		t.Errorf("%d lines of history", term.Top()-term.First())
	}
}

func TestScrollRegionsKeepHistoryOnlyFromTheTop(t *testing.T) {
	if term := after(10, 4, "a\r\nb\r\nc\r\nd\x1b[1;3r\x1b[3;1H\n"); term.Top() != 1 {
		t.Errorf("%d lines left a region at the top", term.Top())
	}
	if term := after(10, 4, "a\r\nb\r\nc\r\nd\x1b[2;3r\x1b[3;1H\n"); term.Top() != 0 {
		t.Errorf("%d lines left a region below it", term.Top())
	}
	if term := after(10, 4, "a\r\nb\x1b[H\x1b[M"); term.Top() != 0 {
		t.Error("a deleted line became history")
	}
	// A region that makes no sense changes nothing.
	shows(t, after(10, 4, "\x1b[3;2r\x1b[9;9r\x1b[4;1Hx\r\ny"), "\n\nx\ny")
}
