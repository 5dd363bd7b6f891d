package tui

import (
	"strings"
	"testing"

	"berth/tui/text"
)

// The screens people see first, at the sizes they have. `go test ./tui -update`
// writes them anew; look at the difference before committing it.
func TestGoldenScreens(t *testing.T) {
	for _, c := range []struct {
		name string
		w, h int
		keys []string
		wait []string
	}{
		{"logs-80x24", 80, 24, []string{"G", "g", "j", "j", "j"}, []string{"▸ web", "60 lines"}},
		{"logs-120x36", 120, 36, []string{"j", "j", "j"}, []string{"web stats", "60 lines"}},
		{"logs-200x50", 200, 50, []string{"j", "j", "j"}, []string{"web stats", "60 lines"}},
		{"list-60x20", 60, 20, nil, []string{"exit 137"}},
		{"detail-60x20", 60, 20, []string{"j", "j", "j", "enter"}, []string{"60 lines"}},
		{"inspect-120x36", 120, 36, []string{"j", "j", "j", "[", "[", "enter", "/", "I", "m", "a", "g", "e", "enter"}, []string{"web ▸ inspect", "hit 1/", "web stats", "/Image ─"}},
		{"volumes-80x24", 80, 24, []string{"4", "j"}, []string{"USED BY", "/var/lib/postgresql/data", "42M"}},
		{"volumes-120x36", 120, 36, []string{"4", "j"}, []string{"USED BY", "backup=nightly", "42M"}},
		{"networks-120x36", 120, 36, []string{"5", "j"}, []string{"MEMBERS", "172.18.0.2", "orders"}},
		{"networks-60x20", 60, 20, []string{"5", "j", "enter"}, []string{"MEMBERS", "172.18.0.2", "orders"}},
		{"ports-120x36", 120, 36, []string{"6"}, []string{"PUBLISHED PORT", "reachable", "● *:8080", "✗ *:9000"}},
		{"ports-200x50", 200, 50, []string{"6", "G"}, []string{"PUBLISHED PORT", "nothing answers", "● *:8080", "✗ *:9000"}},
		{"projects-80x24", 80, 24, []string{"1"}, []string{"SERVICES", "/home/ada/shop"}},
		{"system-120x36", 120, 36, []string{"7"}, []string{"pruning frees", "build cache"}},
		{"doctor-80x24", 80, 24, []string{"7", "[", "j"}, []string{"modprobe overlay"}},
		{"prune-80x24", 80, 24, []string{"4", "b"}, []string{"frees 6M"}},
		{"connect-80x24", 80, 24, []string{"5", "j", "C"}, []string{"berth network connect shop_default"}},
		{"images-80x24", 80, 24, []string{"3", "]", "]"}, []string{"RepoTags"}},
		{"history-120x36", 120, 36, []string{"3", "]"}, []string{"HISTORY", "apt-get"}},
		{"rename-80x24", 80, 24, []string{"j", "j", "j", "n"}, []string{"berth rename web web", "60 lines"}},
		{"help-120x36", 120, 36, []string{"?"}, []string{"all keys", "EVERYWHERE"}},
		{"palette-80x24", 80, 24, []string{":", "s", "t", "o"}, []string{"─ palette ─", ": sto", "stop             stop"}},
		{"remove-80x24", 80, 24, []string{"j", "j", "j", "d"}, []string{"remove web?", "60 lines"}},
		{"run-120x36", 120, 36, []string{"3", "R", "w", "2", "tab", "tab", "tab", "8", ":", "x"}, []string{"run an image", "-p 8:x"}},
		{"filter-80x24", 80, 24, []string{"/", "!", "r", "u", "n"}, []string{"6/12", "/!run"}},
		{"marks-80x24", 80, 24, []string{"j", "space", "j", "v", "j", "j"}, []string{"4 marked", "▸ shop-api-1", "60 lines", "follow ●"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t)
			e.mu.Lock()
			e.maxLooks = 2
			e.mu.Unlock()
			r := start(t, e, c.w, c.h)
			if c.w >= 100 {
				r.WaitFor("DISK")
			}
			r.WaitFor("CPU 192%")
			r.Press(c.keys...)
			r.WaitFor(c.wait...)
			r.Wait("the sizes of volumes", func(s string) bool { return !strings.Contains(s, " – ") })
			golden(t, c.name, r)
		})
	}
}

func TestGoldenEmpty(t *testing.T) {
	r := start(t, newEngine(t).empty(), 80, 24)
	r.WaitFor("no containers yet", "Images 0", "Volumes 0")
	golden(t, "empty-80x24", r)
	r.Press("3")
	r.WaitFor("no images yet")
	golden(t, "noimages-80x24", r)
}

// Every line of every screen is exactly as wide as the terminal, whatever the
// size, the focus and the overlay; nothing panics on the way.
func TestResizeStorm(t *testing.T) {
	m := offline(t, 80, 24)
	views := [][]string{nil, {"enter"}, {"+"}, {"3"}, {"]", "]", "]"}, {"?"}, {":"}, {"R"}, {"d"}, {"/", "w"}, {"@"}, {"D"}, {"E"}, {"space", "v", "j"}, {"m"}, {"t"}}
	for _, keys := range views {
		press(m, keys...)
		for w := 0; w <= 220; w += 1 + w/9 {
			for h := 0; h <= 70; h += 1 + h/7 {
				m.width, m.height = w, h
				m.resizePanes()
				lines := m.lines()
				if w > 0 && h > 0 && len(lines) != h {
					t.Fatalf("after %v: %d lines at %d×%d", keys, len(lines), w, h)
				}
				for i, l := range lines {
					if got := text.Width(l); got != w {
						t.Fatalf("after %v: line %d of %d×%d is %d wide: %q", keys, i, w, h, got, l)
					}
					if strings.Contains(l, "\x1b[2J") || strings.Contains(l, "\x1b]") {
						t.Fatalf("an escape sequence came through: %q", l)
					}
				}
			}
		}
		m.width, m.height = 80, 24
		m.shell.Blur()
		press(m, "esc", "esc", "2")
	}
}
