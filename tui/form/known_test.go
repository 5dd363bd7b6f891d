package form

import (
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"berth/tui/text"
	"berth/tui/theme"
)

// at puts the cursor of a form into a field and types.
func at(t *testing.T, f *Form, name Field, typed string) {
	t.Helper()
	for f.now() != name {
		f.Update(tea.KeyPressMsg{Code: tea.KeyTab})
	}
	f.Update(tea.PasteMsg{Content: typed})
}

func TestNetworksAndVolumesAreCompleted(t *testing.T) {
	f := New("busybox", Known{Networks: []string{"bridge", "shop_default"}, Volumes: []string{"pgdata"}})
	at(t, f, Network, "shop")
	if screen := text.Strip(strings.Join(f.Lines(theme.ANSI16(), 80, 30), "\n")); !strings.Contains(screen, "shop_default") {
		t.Errorf("it is not proposed\n%s", screen)
	}
	f.Update(tea.KeyPressMsg{Code: tea.KeyRight})
	at(t, f, Volumes, "/tmp:/tmp pg")
	f.Update(tea.KeyPressMsg{Code: tea.KeyRight})
	f.Update(tea.PasteMsg{Content: "var"})
	if s := f.Spec(); s.Network != "shop_default" || s.Volumes != "/tmp:/tmp pgdata:/var" {
		t.Errorf("%+v", s)
	}
}

// What is taken is said while it is typed, before the engine is asked.
func TestConflictsAreSeenEarly(t *testing.T) {
	f := New("busybox", Known{Names: []string{"web"}, Ports: map[string]string{"8080/tcp": "web"}})
	screen := func() string { return text.Strip(strings.Join(f.Lines(theme.ANSI16(), 80, 30), "\n")) }
	at(t, f, Name, "web")
	if !strings.Contains(screen(), "the name web is already in use") {
		t.Error(screen())
	}
	at(t, f, Ports, "8080:80")
	if !strings.Contains(screen(), "port 8080 is published by web") {
		t.Error(screen())
	}
	f.Update(tea.KeyPressMsg{Code: tea.KeyBackspace, Mod: 0})
	at(t, f, Ports, "/udp")
	if strings.Contains(screen(), "published by web") {
		t.Error("another protocol is another port")
	}
}

func TestLimitsAndOnlyMaking(t *testing.T) {
	f := New("busybox", Known{})
	at(t, f, CPUs, "1.5")
	at(t, f, Pids, "100")
	at(t, f, Created, "")
	f.Update(tea.KeyPressMsg{Code: tea.KeySpace, Text: " "})
	s := f.Spec()
	if got := s.Line(); got != "berth create -it --cpus 1.5 --pids-limit 100 busybox" {
		t.Error(got)
	}
	o, err := s.Create()
	if err != nil || o.HostConfig.NanoCPUs != 15e8 || *o.HostConfig.PidsLimit != 100 {
		t.Errorf("%+v, %v", o.HostConfig, err)
	}
	for _, bad := range []Spec{{Image: "a", CPUs: "many"}, {Image: "a", CPUs: "0"}, {Image: "a", Pids: "-1"}} {
		if len(bad.Check()) != 1 {
			t.Errorf("%+v passes", bad)
		}
	}
}
