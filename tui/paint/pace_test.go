package paint

import (
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"
)

// counter is a program that counts what it is asked.
type counter struct{ updates, views *int }

func (c counter) Init() tea.Cmd { return nil }

func (c counter) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	if msg == "panic" {
		panic("as told")
	}
	*c.updates++
	return c, nil
}

func (c counter) View() tea.View {
	*c.views++
	return tea.NewView("x")
}

func paced(t *testing.T) (p *Pace, term *terminal, updates, views *int, broke *bool) {
	term, updates, views, broke = newTerminal(), new(int), new(int), new(bool)
	s := New(term, nil, colorprofile.ANSI)
	return NewPace(counter{updates, views}, s, 1, 1, func() { *broke = true }), term, updates, views, broke
}

// A flood is one frame for many messages; a key in it is painted at once.
func TestAFloodIsCoalescedAndKeysAreNot(t *testing.T) {
	p, _, updates, views, _ := paced(t)
	p.last = time.Now().Add(time.Hour) // a frame has just been painted, however slow this machine is
	timers := 0
	for range 1000 {
		if _, cmd := p.Update("news"); cmd != nil {
			timers++
		}
	}
	if *updates != 1000 || *views != 0 || timers != 1 {
		t.Fatalf("1000 messages: %d updates, %d views, %d timers", *updates, *views, timers)
	}
	for n, msg := range []tea.Msg{tea.KeyPressMsg{Code: 'j'}, tea.PasteMsg{}, tea.MouseClickMsg{}, tea.WindowSizeMsg{Width: 3, Height: 2}} {
		if p.Update(msg); *views != n+1 {
			t.Errorf("%T was not painted at once", msg)
		}
	}
	p.Update(frameMsg{})
	if *views != 5 || *updates != 1004 {
		t.Errorf("the frame that was put off: %d views, %d updates", *views, *updates)
	}
	if p.screen.next.width != 3 || p.screen.next.height != 2 {
		t.Errorf("a frame of %d×%d", p.screen.next.width, p.screen.next.height)
	}
}

func TestNewsAfterARestAreAFrame(t *testing.T) {
	p, _, _, views, _ := paced(t)
	if _, cmd := p.Update("news"); cmd != nil || *views != 1 {
		t.Errorf("%d views", *views)
	}
}

func TestAPanicGivesTheTerminalBackFirst(t *testing.T) {
	p, _, _, _, broke := paced(t)
	defer func() {
		if v := recover(); v != "as told" || !*broke {
			t.Errorf("recovered %v, terminal given back: %v", v, *broke)
		}
	}()
	p.Update("panic")
}

func TestWhatTheTerminalCanDo(t *testing.T) {
	p, _, _, _, _ := paced(t)
	p.Update(tea.ModeReportMsg{Mode: ansi.ModeSynchronizedOutput, Value: ansi.ModeNotRecognized})
	p.Update(tea.ModeReportMsg{Mode: ansi.ModeUnicodeCore, Value: ansi.ModeNotRecognized})
	if p.screen.sync || p.screen.wide {
		t.Error("what it does not know is used")
	}
	p.Update(tea.ModeReportMsg{Mode: ansi.ModeSynchronizedOutput, Value: ansi.ModeReset})
	p.Update(tea.ModeReportMsg{Mode: ansi.ModeUnicodeCore, Value: ansi.ModeReset})
	if !p.screen.sync || !p.screen.wide {
		t.Error("what it knows is not used")
	}
	p.Update(Clip("hello"))
	if !strings.Contains(string(p.screen.said), "aGVsbG8=") {
		t.Errorf("the clipboard got %q", p.screen.said)
	}
	if Questions([]string{"SSH_TTY=/dev/pts/1"}) != "" || Questions(nil) == "" {
		t.Error("questions are asked where the answers come too late, or nowhere")
	}
}
