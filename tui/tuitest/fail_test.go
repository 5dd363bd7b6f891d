package tuitest

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// listener is a test that notes how it failed instead of failing.
type listener struct {
	testing.TB
	said string
}

func (l *listener) Helper() {}

func (l *listener) Fatalf(format string, args ...any) {
	l.said = fmt.Sprintf(format, args...)
	panic(l)
}

func (l *listener) Fatal(args ...any) { l.Fatalf("%s", fmt.Sprint(args...)) }

// complaint runs a step with a listener and returns what it said.
func complaint(t *testing.T, r *Robot, step func()) string {
	t.Helper()
	l := &listener{TB: t}
	tb := r.t
	r.t = l
	defer func() { r.t = tb }()
	func() {
		defer func() {
			if v := recover(); v != nil && v != any(l) {
				panic(v)
			}
		}()
		step()
	}()
	if l.said == "" {
		t.Fatal("the step did not fail")
	}
	return l.said
}

// A wait that fails shows what was waited for and what is on the screen.
func TestAWaitThatFailsShowsTheScreen(t *testing.T) {
	r := Start(t, exec.Command("sh", "-c", "echo visible; read -r x; exit 3"), 30, 4)
	r.WaitFor("visible")
	r.Press("enter")
	if code := r.WaitExit(); code != 3 {
		t.Errorf("exit %d", code)
	}
	said := complaint(t, r, func() { r.WaitFor("invisible") })
	for _, want := range []string{`"invisible"`, "the program ended", "visible"} {
		if !strings.Contains(said, want) {
			t.Errorf("no %s in %q", want, said)
		}
	}
}

func TestKeysThatDoNotExist(t *testing.T) {
	r := Start(t, exec.Command("cat"), 30, 4)
	if said := complaint(t, r, func() { r.Press("hyper+j") }); !strings.Contains(said, "hyper+j") {
		t.Errorf("%q", said)
	}
	if said := complaint(t, r, func() { r.SignalChild(syscall.SIGTERM) }); !strings.Contains(said, "no child") {
		t.Errorf("%q", said)
	}
}

func TestQuietWaitsForTheEndOfTheOutput(t *testing.T) {
	r := Start(t, exec.Command("sh", "-c", "for i in 1 2 3 4 5; do echo $i; sleep 0.05; done; read -r x"), 30, 8)
	r.Quiet(300 * time.Millisecond)
	if !strings.Contains(r.Screen(), "5") {
		t.Errorf("quiet too early:\n%s", r.Screen())
	}
	if r.PID() <= 0 || r.Terminal() == nil {
		t.Error("no process or terminal")
	}
}

// Wide letters and colours are read as text.
func TestTheScreenIsText(t *testing.T) {
	r := Start(t, exec.Command("sh", "-c", `printf '\033[1;31m日本語\033[m x\r\n\033[3;5Hat'; read -r x`), 20, 4)
	r.WaitFor("日本語 x", "at")
	if got := r.Screen(); got != "日本語 x\n\n    at\n\n" {
		t.Errorf("%q", got)
	}
}
