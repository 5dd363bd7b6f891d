package tui

import (
	"errors"
	"net/netip"
	"testing"

	tea "charm.land/bubbletea/v2"

	"berth/tui/form"
	"berth/tui/listeners"
)

// someListen is a machine with one program that listens.
func someListen() ([]listeners.Listener, error) {
	return []listeners.Listener{{Addr: netip.MustParseAddr("127.0.0.1"), Port: 6379, Proto: "tcp", PID: 812, Name: "redis"}}, nil
}

func TestTheFormSaysWhoHoldsAPort(t *testing.T) {
	e := newEngine(t)
	r := start(t, e, 120, 36)
	r.WaitFor("Images 8")
	r.Press("3", "R", "tab", "tab", "tab")
	r.Type("6379:6379")
	r.WaitFor("port 6379 is held by redis (812)")
	r.Press("backspace", "backspace", "backspace", "backspace", "backspace")
	r.Type("/udp")
	r.WaitGone("is held by")
}

func TestTheFormKnowsWhatAnImageExposes(t *testing.T) {
	m := offline(t, 120, 36)
	press(m, "3", "j", "R")
	o := m.overlay.(*runForm)
	if o.asked != "nginx:1.27" || o.askImage(m) != nil {
		t.Errorf("asked about %q, or twice", o.asked)
	}
	send(m, imageTold{"nginx:1.27", form.About{Ports: []string{"443/tcp"}, Env: []string{"MODE=x"}}})
	press(m, "tab", "tab", "right", "tab", "tab", "right")
	shows(t, m, "berth run -d -it -e MODE=x -p 443:443 nginx:1.27")
	press(m, "esc")
	send(m, imageTold{name: "nginx:1.27"}, listened{}) // late: the form is gone
}

func TestOfAnotherMachineNobodyKnowsWhoListens(t *testing.T) {
	m := offline(t, 120, 36)
	m.opt.Listeners = func() ([]listeners.Listener, error) { return nil, errors.New("no /proc") }
	if msg := m.askListeners()(); msg != tea.Msg(nil) {
		t.Errorf("%v", msg)
	}
	m.opt.Host = "ssh://far"
	if m.askListeners() != nil {
		t.Error("this machine was looked at")
	}
}
