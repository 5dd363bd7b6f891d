package paint

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"

	"berth/tui/term/screen"
	"berth/tui/text"
)

// Whatever frame follows whatever other, of whatever size, the terminal shows the
// last one, whole: two emulators say so. A frame may have been on its way when
// the terminal changed its size.
func TestRandomFramesAreShownWhole(t *testing.T) {
	for seed := range uint64(40) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		var out bytes.Buffer
		s := New(&out, []string{"TERM=xterm-256color"}, colorprofile.TrueColor)
		w, h := 40, 12
		emu, mine := vt.NewEmulator(w, h), screen.New(w, h, 0)
		go io.Copy(io.Discard, emu)
		emu.RegisterCsiHandler('r', func(p ansi.Params) bool { // it would scroll what it does not have
			bottom, _, _ := p.Param(1, 0)
			return bottom > emu.Height()
		})
		frame := func(lines []string) string {
			out.Reset()
			s.Show(tea.NewView(strings.Join(text.Block(lines, w, h), "\n")), w, h)
			if err := s.draw(); err != nil {
				t.Fatal(err)
			}
			return out.String()
		}
		lines := randomLines(rnd, h)
		for step := range 120 {
			late := ""
			if rnd.IntN(8) == 0 {
				late = frame(changed(rnd, lines, h))
				w, h = 1+rnd.IntN(60), 1+rnd.IntN(20)
				emu.Resize(w, h)
				mine.Resize(w, h)
				s.Erase()
			}
			lines = changed(rnd, lines, h)
			sent := late + frame(lines)
			emu.Write([]byte(sent))
			mine.Write([]byte(sent))
			var want strings.Builder
			for _, l := range text.Block(lines, w, h) {
				want.WriteString(strings.TrimRight(ansi.Strip(l), " ") + "\n")
			}
			for name, got := range map[string]string{"x/vt": trimmed(emu.String()), "screen": mine.String()} {
				if got != want.String() {
					t.Fatalf("seed %d, step %d, %d×%d: %s shows\n%s\nand not\n%s\nafter %q", seed, step, w, h, name, got, want.String(), sent)
				}
			}
		}
	}
}

func trimmed(s string) string {
	var b strings.Builder
	for _, l := range strings.Split(s, "\n") {
		b.WriteString(strings.TrimRight(l, " ") + "\n")
	}
	return b.String()
}

// changed is a frame that is like another one: scrolled, with some lines anew.
func changed(rnd *rand.Rand, lines []string, h int) []string {
	next := append([]string(nil), lines...)
	switch rnd.IntN(6) {
	case 0:
		return randomLines(rnd, h)
	case 1, 2: // a part of it is scrolled
		from := rnd.IntN(len(next))
		to := from + rnd.IntN(len(next)-from)
		by := rnd.IntN(4)
		for i := from; i < to; i++ {
			next[i] = lines[from+(i-from+by)%max(to-from, 1)]
		}
	}
	for range rnd.IntN(3) {
		next[rnd.IntN(len(next))] = randomLine(rnd)
	}
	for len(next) < h {
		next = append(next, randomLine(rnd))
	}
	return next
}

func randomLines(rnd *rand.Rand, h int) []string {
	lines := make([]string, h)
	for i := range lines {
		lines[i] = randomLine(rnd)
	}
	return lines
}

// randomLine is a line as the console has them: of few kinds, so that many are alike.
func randomLine(rnd *rand.Rand) string {
	pieces := []string{"│", "╭─", "──────────╮", " web 12% ", "日本語", "e\u0301", "          ", "\x1b[32m●\x1b[m", "\x1b[7m row \x1b[m", "aaaa", "\x1b[44m      \x1b[m"}
	if rnd.IntN(4) == 0 {
		return ""
	}
	if rnd.IntN(3) == 0 {
		return fmt.Sprintf("│ row %-30d│", rnd.IntN(5))
	}
	var b strings.Builder
	for range 1 + rnd.IntN(12) {
		b.WriteString(pieces[rnd.IntN(len(pieces))])
	}
	return b.String()
}
