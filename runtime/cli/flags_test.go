package cli

import (
	"slices"
	"strings"
	"testing"
)

var testFlags = []flag{{"detach", "d", toggle, ""}, {"bundle", "b", text, ""}, {"env", "e", text, ""}, {"n", "", number, ""}, {"interval", "", duration, ""}}

func TestParseFlags(t *testing.T) {
	v, err := parse(testFlags, strings.Fields("-d=false --detach -bundle /x --env=A=1 one -e B=2 --n -5 -1 -- -d id"), false)
	if err != nil || !slices.Equal(v.args, []string{"one", "-1", "-d", "id"}) {
		t.Fatalf("arguments %q, %v", v.args, err)
	}
	if v.get("bundle") != "/x" || !slices.Equal(v.list("env"), []string{"A=1", "B=2"}) || !v.has("detach") || v.given("tty") || v.number("n") != -5 {
		t.Errorf("values %v", v.set)
	}
	for args, want := range map[string]string{
		"--frob=1":      "flag provided but not defined: -frob",
		"--bundle":      "flag needs an argument: -bundle",
		"-d=maybe":      `invalid boolean value "maybe" for -d: parse error`,
		"--n x":         `invalid value "x" for flag -n: parse error`,
		"--interval 5z": `invalid value "5z" for flag -interval: parse error`,
		"---":           "not defined",
	} {
		if _, err := parse(testFlags, strings.Fields(args), false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}

// TestOptionsOfTheCommandAreItsOwn is exec: what follows the first argument
// belongs to the command that is run.
func TestOptionsOfTheCommandAreItsOwn(t *testing.T) {
	v, err := parse(testFlags, []string{"-d", "id", "sh", "-b", "x"}, true)
	if err != nil || !v.has("detach") || !slices.Equal(v.args, []string{"id", "sh", "-b", "x"}) || v.given("bundle") {
		t.Errorf("%v, %q, %v", v.set, v.args, err)
	}
}

func TestParseSignal(t *testing.T) {
	for name, want := range map[string]int{"TERM": 15, "SIGKILL": 9, "kill": 9, "1": 1, "64": 64, "0": 0} {
		if s, err := parseSignal(name); err != nil || int(s) != want {
			t.Errorf("%s is %d, %v; want %d", name, s, err, want)
		}
	}
	for _, name := range []string{"", "65", "-9", "SIGNOPE"} {
		if s, err := parseSignal(name); err == nil {
			t.Errorf("%q is signal %d", name, s)
		}
	}
}

func TestHelpNamesEveryCommandAndFlag(t *testing.T) {
	var out strings.Builder
	(&app{}).help(&out)
	for _, c := range commands() {
		if !strings.Contains(out.String(), "\n   "+c.name+" ") {
			t.Errorf("the help lacks %s", c.name)
		}
		var of strings.Builder
		c.help(&of)
		if !strings.HasPrefix(of.String(), "NAME:\n   berth-runtime "+c.name+" - ") {
			t.Errorf("help of %s: %q", c.name, of.String())
		}
		for _, f := range c.flags {
			if !strings.Contains(of.String(), "\n   --"+f.name) {
				t.Errorf("the help of %s lacks --%s", c.name, f.name)
			}
		}
	}
}
