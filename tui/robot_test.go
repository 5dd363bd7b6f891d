package tui

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"

	"berth/tui/tuitest"
)

func TestVerbsActAndRowsFollowTheEvents(t *testing.T) {
	e := newEngine(t)
	r := start(t, e, 120, 36)
	r.WaitFor("● web")
	r.Press("j", "j", "j", "s")
	r.WaitFor("○ web", "stopped web")
	r.Press("S")
	r.WaitFor("● web", "started web")
	r.Press("p")
	r.WaitFor("‖ web")
	r.Press("p")
	r.WaitFor("● web")
	r.Press("ctrl+k", "y")
	r.WaitFor("○ web", "exit 137")
	r.Press("d")
	r.WaitFor("remove web?", "berth rm web")
	r.Press("enter")
	r.WaitFor("removed web", "Containers 11")
	r.Press("@")
	r.WaitFor("berth start web", "berth pause web", "berth unpause web", "berth kill web", "berth rm web")
}

func TestAChangeFromOutsideIsOneRowsFetch(t *testing.T) {
	e := newEngine(t)
	r := start(t, e, 120, 36)
	r.WaitFor("● web", "CPU")
	e.forget()
	e.edit("db", "die", func(c *container.Summary) { c.State, c.Status = container.StateExited, "Exited (9) 1 second ago" })
	r.WaitFor("exit 9")
	lists := 0
	for _, req := range e.wanted() {
		if strings.Contains(req, "/containers/json") {
			lists++
			if !strings.Contains(req, "filters=") {
				t.Errorf("one event asked for everything: %s", req)
			}
		}
	}
	if lists != 1 {
		t.Errorf("%d lists for one event", lists)
	}
}

func TestMarksMakeAVerbActOnAll(t *testing.T) {
	r := start(t, newEngine(t), 120, 36)
	r.WaitFor("● db")
	r.Press("j", "space", "space", "v", "j", "s")
	for _, name := range []string{"db", "dns", "web", "アプリ-日本語"} {
		r.WaitFor("○ " + name)
	}
	r.WaitFor("‖ cache", "! shop-api-1")
}

func TestFilterSortAndShowAll(t *testing.T) {
	r := start(t, newEngine(t), 120, 36)
	r.WaitFor("● web")
	r.Press("/")
	r.Type("~wbngx")
	r.WaitFor("Containers 1/12", "● web")
	r.Press("enter", "q")
	r.WaitFor("Containers 12")
	r.Press("A")
	r.WaitFor("Containers 7", "A all 12")
	r.Press("A", "o", "o")
	r.WaitFor("sorted by age")
	r.Press("q")
	if code := r.WaitExit(); code != 0 {
		t.Errorf("exit %d", code)
	}
}

func TestRunningAnImageByForm(t *testing.T) {
	e := newEngine(t)
	r := start(t, e, 120, 36)
	r.WaitFor("Images 8")
	r.Press("3", "j", "R")
	r.WaitFor("run an image", "berth run -d -it nginx:1.27")
	r.Type("web\n")
	r.WaitFor("already in use")
	r.Press("2", "tab", "tab", "tab")
	r.Type("8081:80\n")
	r.WaitFor("running web2", "● web2", "containers ▸ web2")
	r.Press("@")
	r.WaitFor("berth run -d -it --name web2 -p 8081:80 nginx:1.27")
}

func TestTagging(t *testing.T) {
	e := newEngine(t)
	r := start(t, e, 120, 36)
	r.WaitFor("Images 8")
	r.Press("3", "/")
	r.Type("redis\n")
	r.WaitFor("Images 1/8")
	r.Press("t", "ctrl+u")
	r.Type("redis:mine\n")
	r.WaitFor("redis:mine", "Images 2/9")
}

func TestLogsFollowLockSearch(t *testing.T) {
	e := newEngine(t)
	r := start(t, e, 120, 36)
	r.WaitFor("● web")
	r.Press("j", "j", "j")
	r.WaitFor("60 lines", "follow ●")
	e.print("web", "a new line")
	r.WaitFor("a new line", "61 lines")
	r.Press("enter", "k", "k")
	r.WaitFor("▼ 2 below")
	e.print("web", "another one")
	r.WaitFor("▼ 3 below", "62 lines")
	if strings.Contains(r.Screen(), "another one") {
		t.Error("a locked log moved")
	}
	r.Press("/")
	r.Type("error\n")
	r.WaitFor("/error ─", "/5")
	r.Press("n", "N", "x")
	r.WaitFor("matches only 3/5")
	r.Press("esc")
	r.WaitGone("/error")
	r.Press("G")
	r.WaitFor("another one", "follow ●")
	r.Press("t")
	r.WaitFor("11-23 10:00:00.000 another one")
	r.Press("g")
	r.WaitFor("Configuration complete")
	r.Press("m")
	r.WaitGone("Containers 12")
	r.Press("esc")
	r.WaitFor("Containers 12")
}

// What a container says never reaches the terminal as a command.
func TestEscapeSequencesStayOut(t *testing.T) {
	e := newEngine(t)
	r := start(t, e, 120, 36)
	r.WaitFor("○ weird", "● web")
	r.Press("j", "j", "j")
	r.WaitFor("60 lines", "GET /cart 500")
	r.Press("[", "[")
	r.WaitFor("AppArmorProfile")
	out := r.Output()
	for _, bad := range []string{"owned", "\x1b[2Jird"} {
		if strings.Contains(out, bad) {
			t.Errorf("%q was written to the terminal", bad)
		}
	}
}

func TestTheEngineGoesAndComesBack(t *testing.T) {
	e := newEngine(t)
	r := start(t, e, 120, 36)
	r.WaitFor("● web")
	e.stop()
	r.WaitFor("the engine is gone")
	r.Press("j")
	r.WaitFor("containers ▸ db")
	e.edit("db", "die", func(c *container.Summary) { c.State, c.Status = container.StateExited, "Exited (5) 1 second ago" })
	e.listen()
	r.WaitFor("the engine is back", "exit 5")
	r.WaitGone("the engine is gone")
	e.stop()
	r.WaitFor("the engine is gone")
	r.Press("q")
	if code := r.WaitExit(); code != 0 {
		t.Errorf("exit %d", code)
	}
}

func TestNoEngineAtAll(t *testing.T) {
	e := newEngine(t)
	e.stop()
	r := start(t, e, 80, 24)
	r.WaitFor("no engine answers at local")
	e.listen()
	r.WaitFor("● web")
}

// Ten seconds in which nothing happens write nothing. What they cost is measured
// by make bench, on a machine that does nothing else.
func TestIdleWritesNothing(t *testing.T) {
	e := newEngine(t)
	r := start(t, e, 120, 36)
	r.WaitFor("CPU 192%")
	for _, c := range slices.Clone(e.containers) { // the graph of the selected one must stop moving
		if c.State == container.StateRunning || c.State == container.StatePaused || c.State == container.StateRestarting {
			e.edit(c.ID, "die", func(c *container.Summary) { c.State, c.Status = container.StateExited, "Exited (0) now" })
		}
	}
	r.WaitFor("0 running of 12")
	r.Quiet(time.Second)
	before := r.Written()
	const idle = 10 * time.Second
	time.Sleep(idle) // not a wait for something: the time is what is tested
	if n := r.Written() - before; n != 0 {
		t.Errorf("%d bytes were written: %q", n, tail(r.Output(), 200))
	}
}

func tail(s string, n int) string { return s[max(len(s)-n, 0):] }

// However it ends, the terminal is as it was.
func TestTheTerminalIsRestored(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(r *tuitest.Robot)
	}{
		{"quit", func(r *tuitest.Robot) { r.Press("q") }},
		{"interrupt", func(r *tuitest.Robot) { r.Press("ctrl+c") }},
		{"update", func(r *tuitest.Robot) { r.Press("f1") }},
		{"command", func(r *tuitest.Robot) { r.Press("f2") }},
		{"goroutine", func(r *tuitest.Robot) { r.Press("f3") }},
		{"view", func(r *tuitest.Robot) { r.Press("f4") }},
		{"sigterm", func(r *tuitest.Robot) { r.SignalChild(syscall.SIGTERM) }},
		{"sighup", func(r *tuitest.Robot) { r.SignalChild(syscall.SIGHUP) }},
		{"sigint", func(r *tuitest.Robot) { r.SignalChild(syscall.SIGINT) }},
		{"many", func(r *tuitest.Robot) {
			r.SignalChild(syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT, syscall.SIGTERM)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := newEngine(t)
			// A shell around it keeps the terminal open, and tells its settings.
			cmd := exec.Command("sh", "-c", `stty -g > "$1.before"; "$0"; echo "code $?"; stty -g > "$1.after"; cmp "$1.before" "$1.after" && echo sam''e; read -r x`, os.Args[0], e.socket)
			cmd.Env = append(os.Environ(), engineEnv+"="+e.socket)
			r := tuitest.Start(t, cmd, 100, 30)
			r.WaitFor("● web")
			if !r.AltScreen() {
				t.Error("not on the alternate screen")
			}
			c.end(r)
			r.WaitFor("same")
			if r.AltScreen() {
				t.Error("left on the alternate screen")
			}
			if out := r.Output(); strings.LastIndex(out, "\x1b[?25h") < strings.LastIndex(out, "\x1b[?25l") {
				t.Error("the cursor is hidden")
			}
			r.Press("enter")
		})
	}
}

func TestNoColour(t *testing.T) {
	e := newEngine(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), engineEnv+"="+e.socket, "NO_COLOR=1")
	r := tuitest.Start(t, cmd, 100, 30)
	r.WaitFor("● web")
	r.Quiet(300 * time.Millisecond)
	for _, colour := range []string{"\x1b[32m", "\x1b[36m", "\x1b[90m", ";44m", "[31m"} {
		if strings.Contains(r.Output(), colour) {
			t.Errorf("colour %q with NO_COLOR", colour)
		}
	}
}
