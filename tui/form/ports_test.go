package form

import (
	"fmt"
	"sort"
	"strings"
	"testing"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"berth/tui/text"
	"berth/tui/theme"
)

func TestPortsMeanWhatTheyMeanToDocker(t *testing.T) {
	for in, want := range map[string]string{
		"80":                     "80/tcp ←",
		"8080:80":                "80/tcp ← 8080",
		"127.0.0.1:8080:80":      "80/tcp ← 127.0.0.1 8080",
		"127.0.0.1::80":          "80/tcp ← 127.0.0.1",
		"[::1]:53:53/udp":        "53/udp ← ::1 53",
		"8080:80 8081:80":        "80/tcp ← 8080, 8081",
		"9000:9000/sctp  53/udp": "53/udp ←; 9000/sctp ← 9000",
	} {
		set, bindings, err := ParsePorts(in)
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		var out []string
		for p, bs := range bindings {
			if _, ok := set[p]; !ok {
				t.Errorf("%q: %s is bound and not exposed", in, p)
			}
			var hosts []string
			for _, b := range bs {
				ip := ""
				if b.HostIP.IsValid() {
					ip = b.HostIP.String() + " "
				}
				hosts = append(hosts, ip+b.HostPort)
			}
			out = append(out, strings.TrimSpace(fmt.Sprintf("%s ← %s", p, strings.TrimSpace(strings.Join(hosts, ", ")))))
		}
		sort.Slice(out, func(i, j int) bool { return len(out[i]) < len(out[j]) })
		if got := strings.Join(out, "; "); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
	if set, bindings, err := ParsePorts("  "); set != nil || bindings != nil || err != nil {
		t.Errorf("nothing is %v %v %v", set, bindings, err)
	}
}

func TestRestartPoliciesAndMemory(t *testing.T) {
	for in, ok := range map[string]bool{"": true, "no": true, "always": true, "unless-stopped": true, "on-failure": true, "on-failure:5": true, "always:3": false, "on-failure:x": false, "maybe": false} {
		if _, err := parseRestart(in); (err == nil) != ok {
			t.Errorf("restart %q: %v", in, err)
		}
	}
	for in, want := range map[string]int64{"": 0, "6m": 6 << 20, "2g": 2 << 30, "512MiB": 512 << 20} {
		if got, err := parseMemory(in); got != want || err != nil {
			t.Errorf("memory %q is %d, %v", in, got, err)
		}
	}
	for _, in := range []string{"1m", "-5g", "x"} {
		if _, err := parseMemory(in); err == nil {
			t.Errorf("memory %q is accepted", in)
		}
	}
}

// The command line that the form shows, split by a shell, gives the words that
// the request is made of.
func TestTheCommandLineSurvivesAShell(t *testing.T) {
	s := Spec{Image: "img", Name: "n", Env: `A='x y' B="it's" C=a\ b D='$HOME` + "`" + `"' E=日本`, Volumes: "'/with blank:/x'", Command: "sh -c 'echo $X'"}
	words, err := Words(s.Line())
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(words, "|")
	want := "berth|run|-d|--name|n|-e|A=x y|-e|B=it's|-e|C=a b|-e|D=$HOME`\"|-e|E=日本|-v|/with blank:/x|img|sh|-c|echo $X"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for _, s := range []string{"", "plain", "two words", "it's", `back\slash`, "日本", "a;b", "$x"} {
		if back, err := Words(quote(s)); err != nil || len(back) != 1 || back[0] != s {
			t.Errorf("%q is quoted as %s, which reads %q, %v", s, quote(s), back, err)
		}
	}
}

func FuzzWords(f *testing.F) {
	f.Add(`a 'b c' "d\"e" \ f`)
	f.Fuzz(func(t *testing.T, s string) {
		words, err := Words(s)
		if err != nil || !utf8.ValidString(s) || strings.Contains(s, "\x00") {
			return
		}
		var quoted []string
		for _, w := range words {
			quoted = append(quoted, quote(w))
		}
		again, err := Words(strings.Join(quoted, " "))
		if err != nil || strings.Join(again, "\x00") != strings.Join(words, "\x00") {
			t.Fatalf("%q is %q, and read again %q, %v", s, words, again, err)
		}
	})
}

func TestCompletionAndNavigation(t *testing.T) {
	f := New("", Known{Images: []string{"registry.local/shop/api:1.4", "redis:7", "postgres:16"}})
	for _, k := range []string{"r", "e", "d"} {
		f.Update(key(k))
	}
	if got := text.Strip(strings.Join(f.Lines(theme.Theme{}, 60, 30), "\n")); !strings.Contains(got, "red is:7") && !strings.Contains(got, "redis:7") {
		t.Errorf("no completion shown\n%s", got)
	}
	f.Update(key("right"))
	if f.Spec().Image != "redis:7" {
		t.Errorf("completed to %q", f.Spec().Image)
	}
	f.field(Image).Set("shop")
	f.read()
	f.Update(key("right"))
	if f.Spec().Image != "registry.local/shop/api:1.4" {
		t.Errorf("completed to %q", f.Spec().Image)
	}
	f.Update(key("up"))
	if f.now() != Remove {
		t.Errorf("above the first field is %s", f.now())
	}
	f.Update(key("space"))
	f.Update(key("up"))
	f.Update(key("up"))
	f.Update(key("left")) // from "no" back round to the last policy
	if s := f.Spec(); s.Restart != "unless-stopped" || !s.Remove {
		t.Errorf("%+v", s)
	}
	f.Update(key("enter"))
	if f.now() != Remove {
		t.Errorf("enter went to %s, not to what is wrong", f.now())
	}
	f.Update(tea.PasteMsg{Content: "nothing to paste into"})
	if got := strings.Join(f.Lines(theme.Theme{}, 60, 30), "\n"); !strings.Contains(got, "cannot go with a restart policy") {
		t.Errorf("no reason in\n%s", got)
	}
}

func TestBusyTakesNoLetters(t *testing.T) {
	f := New("redis:7", Known{})
	f.Busy()
	f.Update(key("x"))
	if f.Spec().Name != "" {
		t.Error("typed while the engine was asked")
	}
	if got := strings.Join(f.Lines(theme.Theme{}, 60, 30), "\n"); !strings.Contains(got, "asking the engine") {
		t.Errorf("no word of it in\n%s", got)
	}
}
