package cli

import (
	"slices"
	"strings"
	"testing"
)

func TestParseFlags(t *testing.T) {
	flags := []flag{{"detach", "d", "", ""}, {"bundle", "b", "path", ""}, {"env", "e", "x", ""}, {"n", "", "n", ""}}
	v, rest, err := parse(flags, strings.Fields("-d=false --detach -bundle /x --env=A=1 -e B=2 --n 5 -- -d id"))
	if err != nil || !slices.Equal(rest, []string{"-d", "id"}) || !slices.Equal(v.args, rest) {
		t.Fatalf("rest %q, %v", rest, err)
	}
	if v.get("bundle") != "/x" || !slices.Equal(v.list("env"), []string{"A=1", "B=2"}) || !v.given("detach") || v.given("tty") {
		t.Errorf("values %v", v.set)
	}
	if n, err := v.number("n"); n != 5 || err != nil {
		t.Errorf("number %d, %v", n, err)
	}
	for args, text := range map[string]string{
		"--frob": "not defined", "--bundle": "needs an argument", "-d=maybe": "true or false", "---": "not defined",
	} {
		if _, _, err := parse(flags, strings.Fields(args)); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v, want %q", args, err, text)
		}
	}
	// The first argument ends the options, so that a command's own are its own.
	if v, rest, err := parse(flags, []string{"-d", "sh", "-b", "x"}); err != nil || !v.has("detach") || len(rest) != 3 || v.get("bundle") != "" {
		t.Errorf("%v, %q, %v", v.set, rest, err)
	}
	if v, _, _ := parse(flags, []string{"--n", "x"}); v.get("n") == "x" {
		if _, err := v.number("n"); err == nil {
			t.Error("x is a number")
		}
	}
}

func TestParseSignal(t *testing.T) {
	for name, want := range map[string]int{"TERM": 15, "SIGKILL": 9, "kill": 9, "1": 1, "64": 64} {
		if s, err := parseSignal(name); err != nil || int(s) != want {
			t.Errorf("%s is %d, %v; want %d", name, s, err, want)
		}
	}
	for _, name := range []string{"", "0", "65", "-9", "SIGNOPE"} {
		if s, err := parseSignal(name); err == nil {
			t.Errorf("%q is signal %d", name, s)
		}
	}
}
