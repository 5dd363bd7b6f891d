package form

import (
	"net/netip"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"berth/tui/text"
	"berth/tui/theme"
)

func drawn(f *Form) string { return text.Strip(strings.Join(f.Lines(theme.ANSI16(), 90, 30), "\n")) }

func TestEveryVariableHasALineOfItsOwn(t *testing.T) {
	f := New("busybox", Known{})
	at(t, f, Env, "A=1 and a half")
	f.Update(key("tab")) // the next line is there as soon as one is used
	if f.now() != Env {
		t.Fatalf("after the first variable comes %s", f.now())
	}
	f.Update(tea.PasteMsg{Content: "B=x"})
	f.Update(key("tab"))
	f.Update(tea.PasteMsg{Content: "A=2"})
	if screen := drawn(f); !strings.Contains(screen, "A is set above already") {
		t.Error(screen)
	}
	if f.Update(key("enter")) != Going || f.now() != Env {
		t.Error("a variable that is set twice was sent")
	}
	for range 3 {
		f.Update(tea.KeyPressMsg{Code: tea.KeyBackspace})
	}
	f.Update(key("tab"))
	if f.now() != Ports {
		t.Errorf("below the empty line is %s", f.now())
	}
	s := f.Spec()
	o, err := s.Create()
	if err != nil || strings.Join(o.Config.Env, "|") != "A=1 and a half|B=x" {
		t.Errorf("%q, %v", o.Config.Env, err)
	}
	if got := s.Line(); !strings.Contains(got, "-e 'A=1 and a half' -e B=x busybox") {
		t.Error(got)
	}
	if f.Update(key("enter")) != Submitted {
		t.Error("it is not sent when it is mended")
	}
}

func TestPortsAreCheckedLineByLine(t *testing.T) {
	held := []Held{{netip.MustParseAddr("127.0.0.1"), 5432, "tcp", "postgres (812)"}}
	for typed, want := range map[string]string{
		"8080:80|8080:81":             "port 8080 is in a line above already",
		"8080:80|8080:80/udp":         "",
		"127.0.0.1:9:9|127.0.0.2:9:9": "",
		"127.0.0.1:9:9|9:9":           "port 9 is in a line above already",
		"8000-8010:80|8005:81":        "port 8005 is in a line above already",
		"5432:5432":                   "port 5432 is held by postgres (812)",
		"127.0.0.2:5432:5432":         "",
		"3306:3306":                   "port 3306 is published by db",
		"3306-3307:3306":              "", // one of them is free
		"3306-3307:3306-3307":         "port 3306 is published by db",
		"8010-8000:80":                `"8010-8000" ends before it begins`,
		"8000-8010:80-81":             "8000-8010 are 11 ports and 80-81 are 2",
		"80:x":                        `"x" is no port`,
		"70000:80":                    `"70000" is no port`,
	} {
		f := New("busybox", Known{Ports: map[string]string{"3306/tcp": "db"}})
		f.Listening(held)
		for i, line := range strings.Split(typed, "|") {
			if i == 0 {
				at(t, f, Ports, line)
				continue
			}
			f.Update(key("tab"))
			f.Update(tea.PasteMsg{Content: line})
		}
		if screen := drawn(f); strings.Contains(screen, "✗") != (want != "") || !strings.Contains(screen, want) {
			t.Errorf("%s: want %q\n%s", typed, want, screen)
		}
	}
}

func TestRangesOfPortsBelongTogether(t *testing.T) {
	_, bindings, err := ParsePorts("8000-8002:80-82 9000-9009:90 70-71")
	var out []string
	for p, hosts := range bindings {
		for _, h := range hosts {
			out = append(out, h.HostPort+">"+p.String())
		}
	}
	all := strings.Join(out, " ")
	for _, want := range []string{"8000>80/tcp", "8001>81/tcp", "8002>82/tcp", "9000-9009>90/tcp", ">70/tcp", ">71/tcp"} {
		if !strings.Contains(all, want) {
			t.Errorf("%s is not in %s (%v)", want, all, err)
		}
	}
}

func TestWhatTheImageSaysIsProposed(t *testing.T) {
	f := New("web:1", Known{Images: []string{"web:1"}, Ports: map[string]string{"80/tcp": "other"}})
	if f.Wants() != "web:1" {
		t.Fatalf("it wants to know of %q", f.Wants())
	}
	f.Told("web:1", About{Env: []string{"PATH=/bin", "MODE=production"}, Ports: []string{"80/tcp", "53/udp"}})
	if f.Wants() != "" {
		t.Error("it asks again")
	}
	at(t, f, Env, "MO")
	f.Update(key("right"))
	at(t, f, Ports, "")
	if screen := drawn(f); !strings.Contains(screen, "1080:80") {
		t.Errorf("a free port is not proposed\n%s", screen)
	}
	f.Update(key("right"))
	f.Update(key("tab"))
	f.Update(key("right"))
	if s := f.Spec(); s.Env != "MODE=production" || s.Ports != "1080:80 53:53/udp" {
		t.Errorf("%q %q", s.Env, s.Ports)
	}
}
