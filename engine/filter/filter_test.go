package filter

import (
	"testing"

	"github.com/containerd/errdefs"
)

func TestParseTakesBothFormsOfTheAPI(t *testing.T) {
	for _, in := range []string{`{"status":{"exited":true,"dead":true,"paused":false}}`, `{"status":["dead","exited"]}`} {
		args, err := Parse(in)
		if err != nil {
			t.Fatalf("%s: %v", in, err)
		}
		if !args.Exact("status", "dead") || !args.Exact("status", "exited") || args.Exact("status", "paused") {
			t.Errorf("%s: got %v", in, args)
		}
	}
	if args, err := Parse(""); err != nil || len(args) != 0 {
		t.Errorf("no filter: %v, %v", args, err)
	}
	for _, in := range []string{"{", `{"a":1}`, `[]`, `"x"`} {
		if _, err := Parse(in); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%s: got %v, want an invalid argument", in, err)
		}
	}
}

// TestFalseIsNotNothing has keys whose values all came with false, which restrict all the same.
func TestFalseIsNotNothing(t *testing.T) {
	a, err := Parse(`{"status":{"exited":false},"name":{"web":false},"label":{"a":false},"dangling":{"true":false},"id":{}}`)
	if err != nil {
		t.Fatal(err)
	}
	if !a.Has("status") || a.Exact("status", "exited") || a.Exact("status", "running") {
		t.Error("an exact value is denied, and with it all others")
	}
	if !a.Match("name", "web") || a.Match("name", "db") || !a.Labels(map[string]string{"a": ""}) || a.Labels(nil) {
		t.Error("patterns and labels do not look at what a value came with")
	}
	if _, err := a.Bool("dangling", true); !errdefs.IsInvalidArgument(err) {
		t.Errorf("neither true nor false: %v", err)
	}
	if got := a.Values("status"); len(got) != 1 || got[0] != "exited" || a.Has("id") {
		t.Errorf("values %q", got)
	}
}

func TestMatching(t *testing.T) {
	a := Args{"name": {"^web", "[db"}, "id": {"ab"}, "reference": {"busy*"}, "empty": {}}
	for _, c := range []struct {
		what string
		got  bool
		want bool
	}{
		{"regular expression", a.Match("name", "web-1"), true},
		{"anchored", a.Match("name", "my-web"), false},
		{"broken expression is text", a.Match("name", "x[dby"), true},
		{"prefix", a.Prefix("id", "abc"), true},
		{"no prefix", a.Prefix("id", "cab"), false},
		{"glob", a.Glob("reference", "busybox"), true},
		{"absent key", a.Exact("status", "x"), true},
		{"key without values", a.Exact("empty", "x"), true},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %v", c.what, c.got)
		}
	}
	if err := a.Validate("name", "id"); !errdefs.IsInvalidArgument(err) {
		t.Errorf("unknown keys must be refused, got %v", err)
	}
}

func TestLabelsAllAndNone(t *testing.T) {
	a := Args{"label": {"a", "b=2"}, "label!": {"c"}}
	for _, c := range []struct {
		labels map[string]string
		want   bool
	}{
		{map[string]string{"a": "", "b": "2"}, true},
		{map[string]string{"a": "", "b": "3"}, false},
		{map[string]string{"b": "2"}, false},
		{map[string]string{"a": "", "b": "2", "c": "x"}, false},
	} {
		if a.Labels(c.labels) != c.want {
			t.Errorf("%v: want %v", c.labels, c.want)
		}
	}
}

func TestBool(t *testing.T) {
	for in, want := range map[string]bool{"1": true, "true": true, "0": false, "false": false} {
		if got, err := (Args{"dangling": {in}}).Bool("dangling", !want); err != nil || got != want {
			t.Errorf("%s: %v, %v", in, got, err)
		}
	}
	if got, err := (Args{}).Bool("dangling", true); err != nil || !got {
		t.Errorf("absent: %v, %v", got, err)
	}
	for _, in := range [][]string{{"maybe"}, {"1", "0"}} {
		if _, err := (Args{"dangling": in}).Bool("dangling", true); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%v: %v", in, err)
		}
	}
}
