package tui

import (
	"errors"
	"testing"
)

func TestAnotherEngineIsAChoice(t *testing.T) {
	m := offline(t, 100, 30)
	press(m, "H")
	shows(t, m, "this console has one engine only")
	m.opt.Engines = func() ([]Engine, error) {
		return []Engine{{"local", "unix:///run/x"}, {"far\x1b[2J", "ssh://far"}}, errors.New("one context is broken")
	}
	m.Update(m.askEngines()())
	shows(t, m, "1  local (shown now)", "2  far", "ssh://far", "a  an address…")
	press(m, "1")
	shows(t, m, "local is shown already")
	m.Update(m.askEngines()())
	press(m, "a")
	shows(t, m, "go to the engine at", "ssh://me@far.example")
	press(m, "esc")
	m.startCarry("berth pull app", "pull", "pulled", "app", nil)
	m.Update(m.askEngines()())
	press(m, "2")
	shows(t, m, "going to far ends the pull of app")
	if press(m, "n"); m.next != "" {
		t.Errorf("goes to %q though it was told not to", m.next)
	}
	m.transfers = nil
	m.Update(m.askEngines()())
	if press(m, "2"); m.next != "far\x1b[2J" {
		t.Errorf("goes to %q", m.next)
	}
	if (&Switch{To: "far"}).Error() == "" {
		t.Error("no words")
	}
}
