package tui

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/events"
)

// Marked containers have one log: each line with a name, in the order of time.
func TestLogsOfSeveralContainers(t *testing.T) {
	e := newEngine(t)
	e.mu.Lock()
	e.flood = 3
	e.mu.Unlock()
	r := start(t, e, 120, 36)
	r.WaitFor("● web")
	r.Press("j", "space", "space", "space")
	r.WaitFor("3 logs", "web│GET /cart", "63 lines")
	e.print("db", "checkpoint")
	r.WaitFor("db │checkpoint", "64 lines")
	e.edit("db", events.ActionDie, func(c *container.Summary) { c.State, c.Status = container.StateExited, "Exited (0) now" })
	r.WaitFor("○ db")
	e.print("web", "web goes on")
	r.WaitFor("web│web goes on", "65 lines")
	r.Press("esc")
	r.WaitGone("3 logs")
	r.Press("1", "]")
	r.WaitFor("2 logs", "projects ▸ shop")
}

func TestALogSinceATime(t *testing.T) {
	e := newEngine(t)
	r := start(t, e, 120, 36)
	r.WaitFor("● web")
	r.Press("j", "j", "j", "enter")
	r.WaitFor("60 lines")
	r.Press("T")
	r.WaitFor("the log since", "2h..30m")
	r.Type("soon")
	r.WaitFor(`"soon" is no time`)
	r.Press("ctrl+u")
	r.Type("2026-11-23 09:14..2026-11-23 10:00")
	r.WaitFor("--until 2026-11-23T10:00:00Z")
	r.Press("enter")
	r.WaitFor("since 2026-11-23 09:14..2026-11-23 10:00 60 lines")
	asked := strings.Join(e.wanted(), "\n")
	if !strings.Contains(asked, "since=1795425240") || !strings.Contains(asked, "until=1795428000") {
		t.Errorf("the engine was asked for %s", asked)
	}
	r.Press("T", "enter")
	r.WaitGone("since 2026")
}

func TestALogIsSaved(t *testing.T) {
	e := newEngine(t)
	file := filepath.Join(t.TempDir(), "web.log")
	r := start(t, e, 120, 36)
	r.WaitFor("● web")
	r.Press("j", "j", "j", "enter")
	r.WaitFor("60 lines")
	r.Press("ctrl+s")
	r.WaitFor("save the log, all of it", "berth logs web > web.log")
	r.Press("ctrl+u")
	r.Type(file + "\n")
	r.WaitFor("saved the log of web to "+file, "60 lines")
	var want strings.Builder
	for line := range strings.Lines(string(load(t, "web.log", nil))) {
		_, rest, _ := strings.Cut(line, " ")
		want.WriteString(rest)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != want.String() {
		t.Errorf("%v: %q, want %q", err, got, want.String())
	}
	r.Press("ctrl+s", "ctrl+u")
	r.Type(file + "\n")
	r.WaitFor("is there already: give another name")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	r.Press("/")
	r.Type("!get\n")
	r.WaitFor("matches only")
	r.Press("ctrl+s")
	r.WaitFor("only the lines that match")
	r.Press("ctrl+u")
	r.Type(file + "\n")
	r.WaitFor("saved the log of web")
	if got, err := os.ReadFile(file); err != nil || strings.Contains(string(got), "GET /") || len(got) == 0 {
		t.Errorf("%v: %q", err, got)
	}
}

func TestJSONInALog(t *testing.T) {
	e := newEngine(t)
	r := start(t, e, 120, 36)
	r.WaitFor("● web")
	r.Press("j", "j", "j", "enter")
	r.WaitFor("60 lines")
	e.print("web", `{"level":"error","msg":"no such cart"}`)
	r.WaitFor(`{"level":"error","msg":"no such cart"}`)
	r.Press("p")
	r.WaitFor(`│  "level": "error",`, `│  "msg": "no such cart"`)
}
