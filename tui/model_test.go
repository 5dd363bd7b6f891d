package tui

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/moby/moby/api/types/events"

	"berth/tui/feed"
	"berth/tui/keymap"
	"berth/tui/layers"
	"berth/tui/term"
	"berth/tui/text"
	"berth/tui/theme"
)

// shows fails unless every text is on the screen, has fails if one of them is.
func shows(t *testing.T, m *model, texts ...string) {
	t.Helper()
	screen := text.Strip(strings.Join(m.lines(), "\n"))
	for _, s := range texts {
		if !strings.Contains(screen, s) {
			t.Errorf("%q is not on the screen\n%s", s, screen)
		}
	}
}

func hides(t *testing.T, m *model, texts ...string) {
	t.Helper()
	screen := text.Strip(strings.Join(m.lines(), "\n"))
	for _, s := range texts {
		if strings.Contains(screen, s) {
			t.Errorf("%q is on the screen\n%s", s, screen)
		}
	}
}

func TestANarrowScreenTogglesBetweenListAndDetail(t *testing.T) {
	m := offline(t, 60, 20)
	shows(t, m, "Containers 12")
	hides(t, m, "Logs│Stats", "Images")
	press(m, "enter")
	shows(t, m, "Logs│Stats")
	hides(t, m, "Containers 12")
	press(m, "esc", "tab")
	shows(t, m, "Images 8")
	press(m, "enter")
	shows(t, m, "Layers│History")
	press(m, "2") // tab is the browser's there
	shows(t, m, "Containers 12")
}

func TestEveryPanelRemembersItsTab(t *testing.T) {
	m := offline(t, 120, 36)
	press(m, "]", "]", "]")
	if m.tab() != tabDiff {
		t.Fatal(m.tab())
	}
	press(m, "3", "[")
	if m.tab() != tabInspect {
		t.Fatal(m.tab())
	}
	press(m, "2")
	if m.tab() != tabDiff {
		t.Error(m.tab())
	}
	press(m, "]", "]", "]", "]", "]")
	if m.tab() != tabLogs {
		t.Error(m.tab())
	}
}

func TestPanelsByLetters(t *testing.T) {
	m := offline(t, 120, 36)
	press(m, "l")
	if m.panel != images || m.detail {
		t.Error("l does not go to the images")
	}
	press(m, "l", "l", "l")
	if m.panel != ports || m.detail {
		t.Error("l does not go on to the ports")
	}
	press(m, "l")
	if !m.detail {
		t.Error("l does not go to the detail")
	}
	press(m, "2", "h", "h", "0")
	if m.panel != projects || !m.detail {
		t.Error("h does not go to the projects, or 0 not to the detail")
	}
}

func TestQuitClosesOneThingAfterTheOther(t *testing.T) {
	m := offline(t, 120, 36)
	press(m, "/", "w", "e", "b", "enter", "+")
	for _, left := range []string{"zoom", "filter"} {
		if _, cmd := m.Update(tea.KeyPressMsg{Code: 'q', Text: "q"}); quits(cmd) {
			t.Fatalf("q left with the %s on", left)
		}
	}
	if m.zoom || m.conts.Filter().Active() {
		t.Error("zoom or filter is still on")
	}
	if !quits(m.perform(keymap.Quit)) || !quits(m.perform(keymap.Interrupt)) {
		t.Error("does not leave")
	}
	press(m, "?")
	if _, cmd := m.Update(tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl}); !quits(cmd) {
		t.Error("ctrl+c does not leave from an overlay")
	}
}

// quits tells whether a command, or one of a batch, ends the program.
func quits(cmd tea.Cmd) bool {
	if cmd == nil {
		return false
	}
	switch msg := cmd().(type) {
	case tea.QuitMsg:
		return true
	case tea.BatchMsg:
		for _, c := range msg {
			if quits(c) {
				return true
			}
		}
	}
	return false
}

func TestEscapeGoesBackStepByStep(t *testing.T) {
	m := offline(t, 120, 36)
	press(m, "@", "/", "s", "enter", "space", "enter", "+")
	press(m, "esc")
	if m.detail || m.zoom {
		t.Error("still in the detail")
	}
	press(m, "esc")
	if m.conts.Marks() != 0 {
		t.Error("still marked")
	}
	press(m, "esc")
	if m.conts.Filter().Active() {
		t.Error("still filtered")
	}
	press(m, "esc")
	if m.showLog {
		t.Error("the command log is still there")
	}
}

func TestAFilterTakesEffectWhileTyping(t *testing.T) {
	m := offline(t, 120, 36)
	press(m, "/", "w", "e", "b", "down")
	if m.filter != nil || m.conts.Len() != 1 {
		t.Errorf("%d rows, typing %v", m.conts.Len(), m.filter != nil)
	}
	press(m, "/", "x", "x")
	shows(t, m, "no container matches", "clears the filter", "0/12")
	press(m, "esc")
	shows(t, m, "Containers 12")
	press(m, "3", "/", "z", "z", "enter")
	shows(t, m, "no image matches")
}

func TestMenusSayWhatTheyDo(t *testing.T) {
	m := offline(t, 120, 36)
	press(m, "v", "j", "j", "d")
	shows(t, m, "remove 3 containers?", "kill and remove (3 running)", "berth rm -f …", "cancel")
	press(m, "j", "down", "k", "q")
	if m.overlay != nil {
		t.Error("q does not close it")
	}
	press(m, "esc", "G", "d")
	shows(t, m, "remove weird?", "berth rm weird")
	press(m, "n", "ctrl+k")
	shows(t, m, "kill weird?", "berth kill weird")
	press(m, "n", "3", "d")
	shows(t, m, "remove busybox?", "used by 5 containers", "berth rmi -f busybox")
	press(m, "esc", "t", "ctrl+u", "enter")
	shows(t, m, "tag busybox", "berth tag busybox:latest")
	press(m, "esc")
	if m.overlay != nil {
		t.Error("esc does not close the prompt")
	}
}

func TestVerbsWithoutASubjectSaySo(t *testing.T) {
	m := bare(t, 120, 36)
	send(m, feed.Containers{}, feed.Images{})
	for _, a := range []keymap.Action{keymap.Stop, keymap.Shells, keymap.Diff} {
		m.hint, m.bad = "", false
		m.perform(a)
		if !m.bad || !strings.Contains(m.hint, "no container is selected") {
			t.Errorf("%s: %q", a, m.hint)
		}
	}
	for _, a := range []keymap.Action{keymap.Remove, keymap.Kill, keymap.RemoveImage, keymap.Tag, keymap.Copy, keymap.CopyID, keymap.Open} {
		m.perform(a)
	}
	if m.overlay != nil || m.detail {
		t.Error("something opened on nothing")
	}
	m.panel = images
	m.removeImages(false)
	if !strings.Contains(m.hint, "no image is selected") {
		t.Errorf("%q", m.hint)
	}
	shows(t, m, "images are layers of files", "i  loads a tar")
}

func TestAShellNeedsARunningContainer(t *testing.T) {
	m := offline(t, 120, 36)
	press(m, "G", "E")
	if !m.bad || !strings.Contains(m.hint, "weird is not running: S starts it") {
		t.Errorf("%q", m.hint)
	}
}

func TestTheFormBeginsWithWhatIsSelected(t *testing.T) {
	m := offline(t, 120, 36)
	if got := newRunForm(m).form.Spec().Image; got != "redis:7" {
		t.Errorf("image of the container: %q", got)
	}
	press(m, "3", "G")
	if got := newRunForm(m).form.Spec().Image; !strings.HasPrefix(got, "sha256:") {
		t.Errorf("a dangling image: %q", got)
	}
	press(m, "R", "esc")
	if m.overlay != nil {
		t.Error("esc does not close the form")
	}
	send(m, feed.Ran{Name: "x", Err: errors.New("Error response from daemon: no\x1b[2J room")})
	if m.hint != "no room" || !m.bad {
		t.Errorf("%q", m.hint)
	}
	send(m, feed.Ran{ID: strings.Repeat("f", 64), Warnings: []string{"slow disk"}})
	shows(t, m, "running ffffffffffff · slow disk")
}

func TestThePaletteDoesWhatItShows(t *testing.T) {
	m := offline(t, 120, 36)
	press(m, ":")
	for _, r := range "next order" {
		press(m, strings.ReplaceAll(string(r), " ", "space"))
	}
	press(m, "enter")
	shows(t, m, "sorted by name")
	press(m, ":", "q", "q", "q", "z")
	shows(t, m, "no action has these letters")
	press(m, "enter", "down", "up", "esc")
	if m.overlay != nil {
		t.Error("esc does not close it")
	}
}

func TestMessagesOfTheEngine(t *testing.T) {
	m := offline(t, 120, 36)
	send(m, feed.Done{Verb: "stop", Past: "stopped", Name: "web"})
	shows(t, m, "stopped web")
	send(m, feed.Done{Verb: "stop", Name: "web", Err: errors.New("boom")})
	shows(t, m, "✗ stop web: boom")
	send(m, feed.Done{Verb: "kill", Past: "killed", Name: "db"}) // a success does not hide an error
	shows(t, m, "✗ stop web: boom")
	send(m, feed.Gone{Err: errors.New("dial: refused")})
	shows(t, m, "the engine is gone; 'berth ps' in another terminal starts it", "dial: refused", "web")
	m.opt.Host = "ssh://far" // nothing typed here starts that one
	shows(t, m, "the engine is gone; trying again", "dial: refused")
	m.opt.Host = "local"
	send(m, feed.Images{Answer: true, Err: errors.New("late")}, feed.Row{ID: "x", Err: errors.New("late")})
	send(m, feed.Version{Name: "Docker Engine - Community", Version: "28.5.2"})
	shows(t, m, "Docker Engine - Community 28.5.2")
}

func TestWhatThePanesSayIsShown(t *testing.T) {
	m := offline(t, 120, 36)
	web := m.state.Containers(true, "name", m.use)[0]
	send(m, term.EndedMsg{Container: web.ID, ExitCode: 130})
	shows(t, m, "the shell in "+web.Name+" ended with 130")
	send(m, term.EndedMsg{Container: web.ID, Err: errors.New("no shell\x1b[2J in it")})
	shows(t, m, "✗ shell in "+web.Name+": no shell in it")
	send(m, term.NoticeMsg{Text: "hint"})
	shows(t, m, "hint")
	send(m, layers.NoticeMsg{Text: "extract", Err: errors.New("disk full")})
	shows(t, m, "✗ extract: disk full")
	send(m, layers.CopyMsg{Text: "/etc/passwd"})
	shows(t, m, "copied /etc/passwd")
	press(m, "enter", "+")
	send(m, term.LeaveMsg{})
	if m.detail || m.zoom {
		t.Error("leaving does not give the keys back")
	}
	send(m, term.ZoomMsg{})
	if !m.zoom {
		t.Error("no zoom")
	}
	send(m, layers.CloseMsg{})
	if m.zoom {
		t.Error("closing does not end the zoom")
	}
}

func TestALogThatCannotBeReadSaysWhy(t *testing.T) {
	m := offline(t, 120, 36)
	send(m, feed.LogEnd{Stream: m.logs.Stream, Err: errors.New("the log driver\x1b[2J does not support reading")})
	shows(t, m, "the log cannot be read", "the log driver does not support reading", "broke off")
	send(m, feed.LogEnd{Stream: m.logs.Stream + 1, Err: errors.New("an old stream")})
	hides(t, m, "an old stream")
}

func TestAPanicInAGoroutineIsRaised(t *testing.T) {
	defer func() {
		if v := recover(); v == nil || !strings.Contains(v.(string), "oh") {
			t.Errorf("raised %v", v)
		}
	}()
	send(offline(t, 80, 24), feed.Panicked{Value: "oh"})
}

func TestTheCommandLogIsBoundedAndWraps(t *testing.T) {
	m := offline(t, 80, 40)
	for i := range 1000 {
		m.note(fmt.Sprintf("berth stop c%d", i))
	}
	if len(m.commands) != 40*commandLogLines {
		t.Errorf("%d lines", len(m.commands))
	}
	press(m, "@")
	shows(t, m, "berth stop c999", "berth stop c995")
	m.fail(errors.New(strings.Repeat("long ", 30) + "end"))
	shows(t, m, "end")
}

func TestTheThirdColumn(t *testing.T) {
	m := offline(t, 200, 50)
	shows(t, m, "Load", "Events", "what happens shows here")
	web := m.state.Containers(true, "name", m.use)[0]
	for i := range keptEvents + 10 {
		send(m, feed.Event{Message: events.Message{Type: "container", Action: "die", Time: int64(i), Actor: events.Actor{ID: web.ID, Attributes: map[string]string{"exitCode": "137"}}}})
	}
	send(m, feed.Event{Message: events.Message{Type: "network", Action: "connect", Actor: events.Actor{ID: "0123456789abcdef"}}},
		feed.Event{Message: events.Message{Type: "container", Action: "exec_start: sh", Actor: events.Actor{ID: web.ID, Attributes: map[string]string{"name": "no-such-line"}}}},
		feed.Event{Message: events.Message{Type: "image", Action: "tag", Actor: events.Actor{ID: "x", Attributes: map[string]string{"name": "evil\x1b[2Jname"}}}})
	shows(t, m, "die", web.Name, "137", "0123456789ab", "evilname")
	hides(t, m, "no-such-line")
	if len(m.events) != keptEvents {
		t.Errorf("%d events are kept", len(m.events))
	}
	press(m, "+")
	hides(t, m, "Load")
}

// What happened before the console began stands above what it sees itself.
func TestThePastIsRemembered(t *testing.T) {
	m := offline(t, 200, 50)
	send(m, feed.Event{Message: events.Message{Type: "container", Action: "start", Actor: events.Actor{ID: "x", Attributes: map[string]string{"name": "now"}}}},
		feed.Past{Events: []events.Message{
			{Type: "container", Action: "health_status: unhealthy", Actor: events.Actor{ID: "y", Attributes: map[string]string{"name": "before"}}},
			{Type: "container", Action: "exec_create: sh", Actor: events.Actor{ID: "z"}},
		}})
	if len(m.events) != 2 || !strings.HasSuffix(text.Strip(m.events[0]), "unhealthy before") || !strings.HasSuffix(text.Strip(m.events[1]), "start     now") {
		t.Errorf("the events are %q", m.events)
	}
}

func TestThemesFollowTheTerminal(t *testing.T) {
	m := offline(t, 80, 24)
	m.setProfile(colorprofile.ASCII)
	if m.theme != theme.Mono() {
		t.Error("colours without colour")
	}
	for _, l := range m.lines() {
		if strings.Contains(l, "\x1b[3") || strings.Contains(l, "\x1b[9") {
			t.Fatalf("colour in %q", l)
		}
	}
	m.setProfile(colorprofile.ANSI256)
	if m.theme != theme.ANSI16() {
		t.Error("no colours with colour")
	}
}

func TestOptions(t *testing.T) {
	if _, err := (Options{}).validate(); err == nil {
		t.Error("no client is needed")
	}
	if err := Run(t.Context(), Options{}); err == nil || !strings.Contains(err.Error(), "no engine client") {
		t.Errorf("%v", err)
	}
}

func TestPastingCoversExactlyItsPlace(t *testing.T) {
	m := offline(t, 61, 21)
	for _, keys := range []string{"?", ":", "R", "d"} {
		press(m, keys)
		for w := 40; w < 90; w++ {
			m.width, m.height = w, 20
			for i, l := range m.lines() {
				if text.Width(l) != w {
					t.Fatalf("%s at %d: line %d is %d wide: %q", keys, w, i, text.Width(l), l)
				}
			}
		}
		press(m, "esc")
	}
}
