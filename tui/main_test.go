package tui

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/moby/moby/client"

	"berth/tui/feed"
	"berth/tui/settings"
	"berth/tui/tuitest"
)

var update = flag.Bool("update", false, "write the golden screens anew")

// engineEnv makes the test binary a console on the engine named by it, so that
// robots drive the real program in a process and a terminal of its own.
const engineEnv = "BERTH_TUI_TEST_ENGINE"

// settingsEnv holds settings for such a console.
const settingsEnv = "BERTH_TUI_TEST_SETTINGS"

func TestMain(m *testing.M) {
	if socket := os.Getenv(engineEnv); socket != "" {
		os.Exit(console(socket))
	}
	os.Exit(m.Run())
}

func console(socket string) int {
	c, err := client.New(client.WithHost("unix://" + socket))
	if err == nil {
		set := settings.Default()
		if problems := set.Read("console.toml", []byte(os.Getenv(settingsEnv))); problems != nil {
			panic(problems)
		}
		err = run(context.Background(), Options{Client: c, Host: "local", Dial: recordedDial, Doctor: examined, Starter: noStarter, Listeners: someListen, Settings: set, EngineEnviron: []string{"DOCKER_HOST=unix://the-engine"}}, func(m *model) tea.Model { return faulty{m} })
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// faulty is the console with keys that break it, one for each place where code runs.
type faulty struct{ *model }

func (f faulty) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	if k, ok := msg.(tea.KeyPressMsg); ok {
		switch k.String() {
		case "f1":
			panic("in Update")
		case "f2":
			return f, func() tea.Msg { panic("in a command") }
		case "f3":
			return f, func() tea.Msg { f.feed.Go(func() { panic("in a goroutine") }); return nil }
		case "f4":
			f.theme.Good = "panic"
			return f, nil
		}
	}
	_, cmd := f.model.Update(msg)
	return f, cmd
}

func (f faulty) View() tea.View {
	if f.theme.Good == "panic" {
		panic("in View")
	}
	return f.model.View()
}

// start runs the console on an engine, in a terminal.
func start(t *testing.T, e *engine, width, height int) *tuitest.Robot {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), engineEnv+"="+e.socket, "TZ=UTC", "NO_COLOR=")
	return tuitest.Start(t, cmd, width, height)
}

// golden waits until the screen is the one that is kept.
func golden(t *testing.T, name string, r *tuitest.Robot) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name+".txt")
	if *update {
		r.Quiet(500 * time.Millisecond)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(r.Screen()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test ./tui -update writes it)", err)
	}
	r.Wait("the screen of "+path+"\n"+string(want), func(screen string) bool { return screen == string(want) })
}

// offline is a model without a terminal and without an engine, for what needs neither.
func offline(t *testing.T, width, height int) *model {
	t.Helper()
	m := bare(t, width, height)
	var cs feed.Containers
	load(t, "containers.json", &cs.List)
	var is feed.Images
	load(t, "images.json", &is.List)
	var vs feed.Volumes
	load(t, "volumes.json", &vs.List)
	var ns feed.Networks
	load(t, "networks.json", &ns.List)
	send(m, cs, is, vs, ns)
	return m
}

// bare is offline without containers and images.
func bare(t testing.TB, width, height int) *model {
	t.Helper()
	c, err := client.New(client.WithHost("unix:///nowhere.sock"))
	if err != nil {
		t.Fatal(err)
	}
	o, err := Options{Client: c, Dial: recordedDial}.validate()
	if err != nil {
		t.Fatal(err)
	}
	m := newModel(o, feed.New(t.Context(), c))
	send(m, tea.WindowSizeMsg{Width: width, Height: height})
	return m
}

func send(m *model, msgs ...tea.Msg) {
	for _, msg := range msgs {
		m.Update(msg)
	}
}

// press sends keys to a model: names as in the key map.
func press(m *model, keys ...string) {
	codes := map[string]rune{"enter": tea.KeyEnter, "esc": tea.KeyEscape, "tab": tea.KeyTab, "space": tea.KeySpace, "up": tea.KeyUp, "down": tea.KeyDown,
		"left": tea.KeyLeft, "right": tea.KeyRight, "home": tea.KeyHome, "end": tea.KeyEnd, "pgup": tea.KeyPgUp, "pgdown": tea.KeyPgDown, "delete": tea.KeyDelete, "backspace": tea.KeyBackspace}
	for _, k := range keys {
		var key tea.Key
		rest := k
		if r, ok := strings.CutPrefix(rest, "ctrl+"); ok {
			key.Mod, rest = tea.ModCtrl, r
		}
		if r, ok := strings.CutPrefix(rest, "shift+"); ok {
			key.Mod |= tea.ModShift
			rest = r
		}
		if c, ok := codes[rest]; ok {
			key.Code = c
		} else {
			key.Code = []rune(rest)[0]
			if key.Mod == 0 {
				key.Text = rest
			}
		}
		send(m, tea.KeyPressMsg(key))
	}
}
