package form

import (
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"berth/tui/text"
	"berth/tui/theme"
)

func TestWords(t *testing.T) {
	for in, want := range map[string]string{
		``:                      ``,
		`sh -c 'echo "a b"'`:    `sh|-c|echo "a b"`,
		`a\ b "c d" e"f g"h`:    `a b|c d|ef gh`,
		`"" x`:                  `|x`,
		`  tab	sep  `:           `tab|sep`,
		`"esc \" in" 'no \esc'`: `esc " in|no \esc`,
	} {
		got, err := Words(in)
		if err != nil || strings.Join(got, "|") != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{`'open`, `"open`, `end\`} {
		if _, err := Words(in); err == nil {
			t.Errorf("%q is accepted", in)
		}
	}
}

func TestWhatIsWrongIsSaidByField(t *testing.T) {
	good := Spec{Image: "nginx:1.27", Name: "web-1", Command: "sh -c 'x y'", Env: "A=1 B='two words'", Ports: "8080:80 127.0.0.1:53:53/udp 443 [::1]:9:9", Volumes: "/a:/b:ro data:/c", Workdir: "/x", User: "1:1", Memory: "64m", Restart: "on-failure:3"}
	if errs := good.Check(); len(errs) != 0 {
		t.Fatalf("good spec: %v", errs)
	}
	for field, set := range map[Field]func(*Spec){
		Image:   func(s *Spec) { s.Image = "UPPER" },
		Name:    func(s *Spec) { s.Name = "-x" },
		Command: func(s *Spec) { s.Command = "'open" },
		Env:     func(s *Spec) { s.Env = "NOVALUE" },
		Ports:   func(s *Spec) { s.Ports = "80:x" },
		Volumes: func(s *Spec) { s.Volumes = "./rel:/x" },
		Workdir: func(s *Spec) { s.Workdir = "rel" },
		User:    func(s *Spec) { s.User = "a b" },
		Memory:  func(s *Spec) { s.Memory = "lots" },
		Restart: func(s *Spec) { s.Restart = "sometimes" },
		Remove:  func(s *Spec) { s.Remove = true },
	} {
		bad := good
		set(&bad)
		if errs := bad.Check(); errs[field] == nil || len(errs) != 1 {
			t.Errorf("%s: %v", field, errs)
		}
		if _, err := bad.Create(); err == nil {
			t.Errorf("%s: created", field)
		}
	}
	for _, ports := range []string{"0:80", "99999:80", "1.2.3:80:80", "80/icmp", ":"} {
		if _, _, err := ParsePorts(ports); err == nil {
			t.Errorf("%q is accepted", ports)
		}
	}
	for _, volumes := range []string{"/only", ":/x", "a:b", "a:/b:c:d"} {
		if _, err := parseVolumes(volumes); err == nil {
			t.Errorf("%q is accepted", volumes)
		}
	}
}

func TestTheRequestAndTheCommandSayTheSame(t *testing.T) {
	s := Spec{Image: "web", Name: "w1", Command: "sh -c 'echo hi'", Env: "A=1 B='x y'", Ports: "8080:80/tcp 53/udp", Volumes: "/a:/b", Workdir: "/w", User: "nobody", Network: "none", Memory: "64m", Restart: "always", TTY: true}
	o, err := s.Create()
	if err != nil {
		t.Fatal(err)
	}
	if o.Name != "w1" || o.Config.Image != "web" || len(o.Config.Cmd) != 3 || o.Config.Env[1] != "B=x y" || !o.Config.Tty || !o.Config.OpenStdin ||
		o.HostConfig.Memory != 64<<20 || o.HostConfig.RestartPolicy.Name != "always" || o.HostConfig.NetworkMode != "none" || len(o.HostConfig.PortBindings) != 2 {
		t.Errorf("%+v %+v", o.Config, o.HostConfig)
	}
	want := "berth run -d -it --name w1 -e A=1 -e 'B=x y' -p 8080:80/tcp -p 53/udp -v /a:/b -w /w -u nobody --network none -m 64m --restart always web sh -c 'echo hi'"
	if got := s.Line(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := (Spec{Remove: true, Restart: "no"}).Line(); got != "berth run -d --rm IMAGE" {
		t.Error(got)
	}
}

func key(s string) tea.KeyPressMsg {
	named := map[string]rune{"enter": tea.KeyEnter, "esc": tea.KeyEscape, "tab": tea.KeyTab, "right": tea.KeyRight, "left": tea.KeyLeft, "space": tea.KeySpace, "up": tea.KeyUp}
	if c, ok := named[s]; ok {
		k := tea.KeyPressMsg{Code: c}
		if s == "space" {
			k.Text = " "
		}
		return k
	}
	return tea.KeyPressMsg{Code: rune(s[0]), Text: s}
}

func TestFillingIn(t *testing.T) {
	f := New("", Known{Images: []string{"nginx:1.27", "busybox:latest"}})
	if f.Update(key("enter")) != Going {
		t.Fatal("submitted without an image")
	}
	if got := strings.Join(f.Lines(theme.Theme{}, 60, 30), "\n"); !strings.Contains(got, "an image is needed") {
		t.Errorf("no error in\n%s", got)
	}
	for _, k := range []string{"b", "u", "right", "tab", "w", "2"} {
		f.Update(key(k))
	}
	for range 12 {
		f.Update(key("tab"))
	}
	for _, k := range []string{"right", "right", "tab", "space"} {
		f.Update(key(k))
	}
	s := f.Spec()
	if s.Image != "busybox:latest" || s.Name != "w2" || s.Restart != "always" || s.TTY {
		t.Errorf("%+v", s)
	}
	if f.Update(key("enter")) != Submitted {
		t.Errorf("not submitted: %v", s.Check())
	}
	f.Busy()
	if f.Update(key("enter")) != Going {
		t.Error("submitted twice")
	}
	f.Refused(errTest("name\x1b[2J is taken"))
	if got := strings.Join(f.Lines(theme.Theme{}, 60, 30), "\n"); !strings.Contains(got, "name is taken") {
		t.Errorf("no refusal in\n%s", got)
	}
	if f.Update(key("esc")) != Cancelled {
		t.Error("not cancelled")
	}
}

type errTest string

func (e errTest) Error() string { return string(e) }

func TestLinesFit(t *testing.T) {
	f := New("nginx", Known{Images: []string{"nginx:1.27-日本語"}})
	for range 14 {
		f.Update(key("tab"))
		for w := 20; w < 100; w += 13 {
			for h := 6; h < 30; h += 5 {
				lines := f.Lines(theme.ANSI16(), w, h)
				if len(lines) > h+2 {
					t.Fatalf("%d lines in %d", len(lines), h)
				}
				for _, l := range lines {
					if text.Width(l) > w {
						t.Fatalf("%q is %d wide, not %d", l, text.Width(l), w)
					}
				}
			}
		}
	}
}
