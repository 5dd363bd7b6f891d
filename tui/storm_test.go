package tui

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/moby/moby/api/types/container"

	"berth/tui/feed"
	"berth/tui/keymap"
	"berth/tui/text"
)

// The real program in a terminal that changes its size all the time.
func TestResizingTheTerminal(t *testing.T) {
	e := newEngine(t)
	e.mu.Lock()
	e.maxLooks = 2
	e.mu.Unlock()
	r := start(t, e, 80, 24)
	r.WaitFor("● web")
	for _, size := range [][2]int{{1, 1}, {0, 0}, {500, 200}, {39, 9}, {40, 10}, {79, 23}, {200, 50}, {3, 100}, {100, 3}, {60, 20}} {
		r.Resize(size[0], size[1])
		r.Press("tab")
	}
	r.Resize(30, 8)
	r.WaitFor("too small: 30×8")
	r.Resize(80, 24)
	r.WaitFor("Images 8", "Containers 12")
}

// A log of half a million lines: all of them are counted, those that did not
// stay are said to be dropped, and keys are answered all the while.
func TestALogFlood(t *testing.T) {
	e := newEngine(t)
	e.mu.Lock()
	e.flood = 500_000
	e.mu.Unlock()
	r := start(t, e, 120, 36)
	r.WaitFor("● db")
	r.Press("j")
	r.WaitFor("lines")
	for range 10 {
		r.Press("@")
		r.WaitFor("@ hides")
		r.Press("@")
		r.WaitGone("@ hides")
	}
	r.WaitFor("200,000 lines", "300,000 dropped", "line 499999 of a flood")
	if n := r.Written(); n > 5<<20 {
		t.Errorf("%d bytes were written for half a million lines: frames are not skipped", n)
	}
	r.Press("enter", "g")
	r.WaitFor("line 0 of a flood", "‖ held, G goes on") // the oldest line there is, and it stays
	r.Press("G")
	r.WaitFor("300,000 dropped", "line 499999 of a flood")
}

// Five hundred containers: the first frame comes at once, an event fetches one
// row, and only what is visible is measured.
func TestManyContainers(t *testing.T) {
	e := newEngine(t)
	e.mu.Lock()
	e.containers = nil
	for i := range 500 {
		e.containers = append(e.containers, container.Summary{ID: fmt.Sprintf("%064x", i+1), Names: []string{fmt.Sprintf("/many-%03d", i)}, State: container.StateRunning, Status: "Up", Image: "nginx:1.27"})
	}
	e.mu.Unlock()
	began := time.Now()
	r := start(t, e, 120, 36)
	r.WaitFor("● many-000", "Containers 500", "Images 8")
	t.Logf("first full frame after %s", time.Since(began))
	r.WaitFor("CPU")
	polled := map[string]bool{}
	for _, req := range e.wanted() {
		if strings.Contains(req, "/stats") {
			polled[strings.Split(req, "/")[3]] = true
		}
	}
	if len(polled) == 0 || len(polled) > 25 {
		t.Errorf("%d containers are measured, with 17 rows on the screen", len(polled))
	}
	r.Press("G")
	r.WaitFor("● many-499")
	e.forget()
	e.edit("many-498", "die", func(c *container.Summary) { c.State, c.Status = container.StateExited, "Exited (9) 1 second ago" })
	r.WaitFor("exit 9")
	var lists []string
	for _, req := range e.wanted() {
		if strings.Contains(req, "/containers/json") {
			lists = append(lists, req)
		}
	}
	if len(lists) != 1 || !strings.Contains(lists[0], "filters=") {
		t.Errorf("one event asked for %q", lists)
	}
}

func TestCopying(t *testing.T) {
	r := start(t, newEngine(t), 120, 36)
	r.WaitFor("● web")
	r.Press("j", "y")
	r.WaitFor("copied db")
	r.WaitOutput("\x1b]52;c;ZGI=") // it is written after the frame that says so, or before it
}

// Thousands of random keys, sizes and messages: no panic, and every frame is
// whole. The seed is in the failure, so that it can be had again;
// BERTH_TUI_SEEDS=400 is a run of minutes.
func TestRandomKeys(t *testing.T) {
	var keys []string
	for _, b := range keymap.Default() {
		keys = append(keys, b.Keys...)
	}
	keys = append(keys, "a", "1", "9", ".", "*", "(", "[", "日", "enter", "enter", "esc", "esc", "space", "backspace", "left", "ctrl+w", "y", "n")
	keys = slices.DeleteFunc(keys, func(k string) bool { return k == "ctrl+]" })
	seeds := uint64(4)
	if n, err := strconv.ParseUint(os.Getenv("BERTH_TUI_SEEDS"), 10, 32); err == nil {
		seeds = n
	}
	for seed := range seeds {
		rnd := rand.New(rand.NewPCG(seed, 1))
		m := offline(t, 100, 30)
		e := newEngineData(t)
		for n := range 800 {
			switch rnd.IntN(14) {
			case 12:
				send(m, tea.MouseClickMsg{X: rnd.IntN(230), Y: rnd.IntN(70), Button: tea.MouseLeft})
			case 13:
				send(m, tea.MouseWheelMsg{X: rnd.IntN(230), Y: rnd.IntN(70), Button: tea.MouseWheelUp + tea.MouseButton(rnd.IntN(2))})
			case 0:
				send(m, tea.WindowSizeMsg{Width: rnd.IntN(230), Height: rnd.IntN(70)})
			case 1:
				c := e[rnd.IntN(len(e))]
				c.State = []container.ContainerState{container.StateRunning, container.StateExited, container.StatePaused}[rnd.IntN(3)]
				send(m, feed.Row{ID: c.ID, Summary: &c})
			case 2:
				send(m, feed.LogLines{Stream: m.logs.Stream, Lines: manyLines(rnd.IntN(40))})
			case 3:
				send(m, feed.Inspected{ID: m.inspected(), JSON: []byte("{\n  \"a\": 1\n}")})
			case 4:
				send(m, tea.PasteMsg{Content: "pa\x1bste\n日本"})
			case 5:
				switch rnd.IntN(6) {
				case 0:
					send(m, feed.Gone{Err: errors.New("gone")})
				case 1:
					send(m, feed.Containers{List: e[:rnd.IntN(len(e))]})
				case 2:
					send(m, feed.Done{Verb: "stop", Past: "stopped", Name: "x", Err: errors.New("no")})
				}
			default:
				press(m, keys[rnd.IntN(len(keys))])
			}
			for i, l := range m.lines() {
				if text.Width(l) != m.width {
					t.Fatalf("seed %d, step %d: line %d of %d×%d is %d wide: %q", seed, n, i, m.width, m.height, text.Width(l), l)
				}
			}
			if got := len(m.lines()); m.width > 0 && got != m.height {
				t.Fatalf("seed %d, step %d: %d lines of %d", seed, n, got, m.height)
			}
		}
	}
}

// newEngineData is the recorded containers.
func newEngineData(t *testing.T) []container.Summary {
	var list []container.Summary
	load(t, "containers.json", &list)
	return list
}
