package text

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

const (
	tabStop         = 8
	zeroWidthJoiner = 0x200d
)

// Clean returns s as one line of printable text: escape sequences and control
// characters are removed, tabs and line ends become spaces.
func Clean(s string) string { return clean(s, false) }

// CleanSGR is [Clean] that keeps colour and attribute sequences (CSI … m) and
// expands tabs to columns of eight. What is kept is closed at the end, so that
// a colour never runs into what is drawn beside it.
func CleanSGR(s string) string { return clean(s, true) }

// clean walks through s sequence by sequence, as a terminal would, and keeps
// what only draws.
func clean(s string, keep bool) string {
	if isPlain(s) {
		return s
	}
	var (
		b      strings.Builder
		col    int
		open   bool
		state  byte
		parser = ansi.NewParser()
	)
	b.Grow(len(s))
	for len(s) > 0 {
		seq, width, n, next := ansi.DecodeSequence(s, state, parser)
		state = next
		switch {
		case n <= 0:
			n = 1
		case width > 0:
			// A byte that is no UTF-8 may hide behind a letter, in its cluster;
			// to a terminal it may be an 8-bit control.
			seq, width = oneWidth(strings.ToValidUTF8(seq, ""), width)
			b.WriteString(seq)
			col += width
		case seq == "\t":
			fill := 1
			if keep {
				fill = tabStop - col%tabStop
			}
			b.WriteString(Spaces(fill))
			col += fill
		case seq == "\n" && len(s) > n:
			b.WriteByte(' ')
			col++
		case keep && isSGR(seq):
			b.WriteString(seq)
			open = true
		}
		s = s[n:]
	}
	if open {
		b.WriteString(ansi.ResetStyle)
	}
	return settle(b.String())
}

// settle handles clusters that only formed when what lay between their parts
// was removed: such a line loses everything that is not a single code point
// of undisputed width.
func settle(s string) string {
	if ansi.StringWidth(s) == ansi.StringWidthWc(s) {
		return s
	}
	s = strings.Map(func(r rune) rune {
		if r < 0x7f {
			return r
		}
		one := string(r)
		if w := ansi.StringWidth(one); w == 0 || w != ansi.StringWidthWc(one) || isRegional(r) || unicode.IsMark(r) {
			return -1
		}
		return r
	}, s)
	if ansi.StringWidth(s) == ansi.StringWidthWc(s) {
		return s
	}
	return strings.Map(func(r rune) rune { // Hangul letters that still combine
		if r < 0x7f {
			return r
		}
		return '?'
	}, s)
}

// isRegional tells the letters that make a flag in pairs.
func isRegional(r rune) bool { return r >= 0x1f1e6 && r <= 0x1f1ff }

// isPlain is the fast path: printable ASCII only.
func isPlain(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// isSGR tells a well-formed select-graphic-rendition sequence.
func isSGR(seq string) bool {
	if len(seq) < 3 || seq[0] != 0x1b || seq[1] != '[' || seq[len(seq)-1] != 'm' {
		return false
	}
	for _, c := range []byte(seq[2 : len(seq)-1]) {
		if (c < '0' || c > '9') && c != ';' && c != ':' {
			return false
		}
	}
	return true
}

// oneWidth returns a cluster on whose width all terminals agree. Terminals
// without Unicode core support (mode 2027) count the code points of an emoji
// sequence one by one; its first code point stands for the sequence there.
// What is not printable, or turns the writing direction, becomes U+FFFD.
func oneWidth(cluster string, width int) (string, int) {
	r, size := utf8.DecodeRuneInString(cluster)
	if r == utf8.RuneError || !printable(r) || isRegional(r) && len(cluster) == size {
		return "\uFFFD", 1
	}
	if len(cluster) == size && size == 1 {
		return cluster, width
	}
	for _, r := range cluster[size:] {
		if isDirection(r) || r == zeroWidthJoiner {
			cluster = cluster[:size]
			break
		}
	}
	if wc := ansi.StringWidthWc(cluster); wc == ansi.StringWidth(cluster) && wc > 0 {
		return cluster, wc
	}
	first := cluster[:size]
	wc, gw := ansi.StringWidthWc(first), ansi.StringWidth(first)
	if wc != gw || wc <= 0 {
		return "\uFFFD", 1
	}
	return first, wc
}

// printable tells letters and blanks from what acts on the line.
func printable(r rune) bool {
	return unicode.IsPrint(r) || (unicode.IsSpace(r) && r > 0x20 && r != 0x85 && r != 0x2028 && r != 0x2029)
}

// isDirection tells the bidirectional controls, which can make a name read as
// another one (CVE-2021-42574).
func isDirection(r rune) bool {
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f || r == 0x061c
}
