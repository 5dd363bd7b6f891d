package tui

import (
	"fmt"
	"image"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"berth/tui/text"
)

// place is where a text stands on the screen.
func place(t *testing.T, m *model, want string) image.Point {
	t.Helper()
	for y, line := range m.lines() {
		plain := text.Strip(line)
		if i := strings.Index(plain, want); i >= 0 {
			return image.Pt(text.Width(plain[:i]), y)
		}
	}
	t.Fatalf("%q is not on the screen:\n%s", want, text.Strip(strings.Join(m.lines(), "\n")))
	return image.Point{}
}

// clickOn presses the left button on a text.
func clickOn(t *testing.T, m *model, want string) {
	t.Helper()
	at := place(t, m, want)
	send(m, tea.MouseClickMsg{X: at.X, Y: at.Y, Button: tea.MouseLeft})
}

// turn is one step of the wheel on a text.
func turn(t *testing.T, m *model, want string, b tea.MouseButton) {
	t.Helper()
	at := place(t, m, want)
	send(m, tea.MouseWheelMsg{X: at.X, Y: at.Y, Button: b})
}

func selected(m *model) string {
	row, _ := m.pane().current()
	return row.title
}

func TestClicksSelectRowsAndPanels(t *testing.T) {
	m := offline(t, 120, 50)
	clickOn(t, m, "● web")
	if m.panel != containers || selected(m) != "web" || m.detail {
		t.Errorf("after a click on web: %q, panel %d, detail %v", selected(m), m.panel, m.detail)
	}
	m.clicked.when = time.Now() // however slow this machine is
	clickOn(t, m, "● web")
	if !m.detail {
		t.Error("a double click did not open it")
	}
	clickOn(t, m, "Images 8")
	if m.panel != images || m.detail {
		t.Errorf("after a click on the title of images: panel %d, detail %v", m.panel, m.detail)
	}
	clickOn(t, m, "redis:")
	if !strings.HasPrefix(selected(m), "redis:") || m.detail {
		t.Errorf("after a click on redis: %q", selected(m))
	}
	press(m, "2")
	clickOn(t, m, "● db")
	clickOn(t, m, "● web")
	if m.detail || selected(m) != "web" {
		t.Error("two clicks on two rows are no double click")
	}
}

func TestClicksOnTabsAndOnTheLineOfKeys(t *testing.T) {
	m := offline(t, 120, 36)
	clickOn(t, m, "● web")
	clickOn(t, m, "Inspect")
	if m.tab() != tabInspect {
		t.Errorf("a click on Inspect shows %s", m.tab())
	}
	clickOn(t, m, "Logs│")
	if m.tab() != tabLogs {
		t.Errorf("a click on Logs shows %s", m.tab())
	}
	name := place(t, m, "web  Logs")
	send(m, tea.MouseClickMsg{X: name.X, Y: name.Y, Button: tea.MouseLeft})
	if m.tab() != tabLogs {
		t.Error("a click on the name is one on a tab")
	}
	clickOn(t, m, "help")
	if _, ok := m.overlay.(*help); !ok {
		t.Fatalf("a click on help opened %T", m.overlay)
	}
	send(m, tea.KeyPressMsg{Code: tea.KeyEscape})
	clickOn(t, m, "palette")
	if _, ok := m.overlay.(*palette); !ok {
		t.Fatalf("a click on palette opened %T", m.overlay)
	}
	press(m, "z", "o", "o", "m")
	clickOn(t, m, "detail over the whole")
	if m.overlay != nil || !m.zoom {
		t.Error("a click on a line of the palette does not do it")
	}
}

func TestTheWheelScrollsWhatIsUnderThePointer(t *testing.T) {
	m := offline(t, 120, 40)
	m.panel = containers
	m.conts.Move(-100)
	turn(t, m, "Images 8", tea.MouseWheelDown)
	if m.panel != containers {
		t.Error("the wheel moved the focus")
	}
	if i, _ := m.imgs.Current(); i.ID == "" || selected(m) == "" {
		t.Error("nothing is selected")
	}
	first := selected(m)
	turn(t, m, "Containers 12", tea.MouseWheelDown)
	if selected(m) == first {
		t.Error("the wheel did not move the list")
	}
	m.logs.Reset(m.logSources(), m.logs.Stream, true)
	m.logs.Append(manyLines(300))
	m.lines()
	at := m.screen().Detail.Min.Add(image.Pt(5, 5))
	send(m, tea.MouseWheelMsg{X: at.X, Y: at.Y, Button: tea.MouseWheelUp})
	if m.logs.Pager().Follows() || m.logs.Pager().Below() != wheelRows {
		t.Errorf("the log is %d rows above its end", m.logs.Pager().Below())
	}
	press(m, "?")
	m.lines()
	before := fmt.Sprint(m.lines())
	send(m, tea.MouseWheelMsg{X: 60, Y: 20, Button: tea.MouseWheelDown})
	if fmt.Sprint(m.lines()) == before {
		t.Error("the wheel did not scroll the help")
	}
}

func TestAMenuIsClicked(t *testing.T) {
	m := offline(t, 120, 36)
	clickOn(t, m, "● web")
	press(m, "d")
	clickOn(t, m, "cancel")
	if m.overlay != nil {
		t.Error("the menu is still there")
	}
	press(m, "d")
	at := place(t, m, "remove web?")
	send(m, tea.MouseClickMsg{X: at.X, Y: at.Y, Button: tea.MouseLeft}, tea.MouseClickMsg{X: 0, Y: 0, Button: tea.MouseLeft})
	if m.overlay == nil {
		t.Error("a click beside the choices took one")
	}
}

// While nothing in a shell has asked for more, the console hears clicks and the
// wheel, and no movement.
func TestTheMouseIsAskedFor(t *testing.T) {
	m := offline(t, 120, 36)
	if got := m.View().MouseMode; got != tea.MouseModeCellMotion {
		t.Errorf("mode %d", got)
	}
}

// A click anywhere, at any size, with anything open: no panic.
func TestClicksEverywhere(t *testing.T) {
	for _, size := range [][2]int{{0, 0}, {39, 9}, {60, 20}, {80, 24}, {200, 50}} {
		m := offline(t, size[0], size[1])
		for _, keys := range [][]string{nil, {"?"}, {"esc", ":"}, {"esc", "d"}, {"esc", "R"}, {"esc", "3", "D"}, {"q", "7"}} {
			press(m, keys...)
			for y := 0; y <= size[1]; y += 2 {
				for x := 0; x <= size[0]; x += 7 {
					send(m, tea.MouseWheelMsg{X: x, Y: y, Button: tea.MouseWheelUp}, tea.MouseWheelMsg{X: x, Y: y, Button: tea.MouseWheelDown},
						tea.MouseMotionMsg{X: x, Y: y}, tea.MouseClickMsg{X: x, Y: y, Button: tea.MouseRight}, tea.MouseReleaseMsg{X: x, Y: y})
				}
			}
			for y := 0; y <= size[1]; y += 3 {
				send(m, tea.MouseClickMsg{X: y * 3, Y: y, Button: tea.MouseLeft})
				for i, l := range m.lines() {
					if text.Width(l) != m.width {
						t.Fatalf("%v: line %d is %d wide", size, i, text.Width(l))
					}
				}
			}
		}
	}
}

// One key repaints little: inside tmux and over SSH every byte counts.
func TestAKeyWritesLittle(t *testing.T) {
	r := start(t, newEngine(t), 120, 36)
	r.WaitFor("● web", "CPU")
	for _, c := range []struct{ key, shows string }{{"space", "1 marked"}, {"j", "containers ▸"}, {"/", "/"}} {
		r.Quiet(200 * time.Millisecond)
		before := r.Written()
		r.Press(c.key)
		r.WaitFor(c.shows)
		if n := r.Written() - before; n > 2<<10 {
			t.Errorf("%s writes %d bytes", c.key, n)
		}
	}
}
