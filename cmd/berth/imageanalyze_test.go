package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"berth/engine/api/berthapi"
)

// TestRulesAreDives pins dive's rules: their defaults, order, and what exactly at a threshold passes.
func TestRulesAreDives(t *testing.T) {
	for _, c := range []struct {
		waste berthapi.Waste
		rules map[string]string
		want  string
	}{
		{berthapi.Waste{Efficiency: 0.9, UserPercent: 0.1, Wasted: 1 << 40}, nil, "pass disabled pass"},
		{berthapi.Waste{Efficiency: 0.89, UserPercent: 0.11}, nil, "fail disabled fail"},
		{berthapi.Waste{Efficiency: 1, Wasted: 20_000_001}, map[string]string{"highestWastedBytes": "20MB"}, "pass fail pass"},
		{berthapi.Waste{Efficiency: 1, Wasted: 20_000_001}, map[string]string{"highestWastedBytes": "20MiB"}, "pass pass pass"},
		{berthapi.Waste{Efficiency: 0.1, UserPercent: 1}, map[string]string{"lowestEfficiency": "disabled", "highestUserWastedPercent": "disabled"}, "disabled disabled disabled"},
		{berthapi.Waste{}, map[string]string{"lowestEfficiency": "90"}, `rule lowestEfficiency: "90" is no ratio between 0 and 1, nor 'disabled'`},
		{berthapi.Waste{}, map[string]string{"highestWastedBytes": "much"}, `rule highestWastedBytes: "much" is no number of bytes, nor 'disabled'`},
	} {
		rules := defaultRules()
		for name, value := range c.rules {
			rules[name] = value
		}
		all, err := judge(c.waste, rules)
		var got []string
		for _, v := range all {
			switch v.says {
			case "":
				got = append(got, "pass")
			case disabled:
				got = append(got, disabled)
			default:
				got = append(got, "fail")
			}
		}
		text := strings.Join(got, " ")
		if err != nil {
			text = err.Error()
		}
		if text != c.want {
			t.Errorf("%+v with %v: %s, want %s", c.waste, c.rules, text, c.want)
		}
	}
}

func TestRulesFromAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), ".dive-ci")
	rules := defaultRules()
	never := func(string) bool { return false }
	if err := readRules(file, rules, never); err != nil {
		t.Errorf("no file: %v", err)
	}
	text := "rules:\n  # how good it must be\n  lowestEfficiency: 0.95\n  highestWastedBytes: \"20MB\"\n\n  highestUserWastedPercent: 0.20 # a fifth\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := readRules(file, rules, func(name string) bool { return name == "lowestEfficiency" }); err != nil {
		t.Fatal(err)
	}
	if rules["lowestEfficiency"] != "0.9" || rules["highestWastedBytes"] != "20MB" || rules["highestUserWastedPercent"] != "0.20" {
		t.Errorf("%v", rules)
	}
	if err := os.WriteFile(file, []byte("rules:\n  lowest: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := readRules(file, rules, never); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("an unknown rule: %v", err)
	}
}

func TestModesAreThoseOfLs(t *testing.T) {
	for want, e := range map[string]berthapi.Entry{
		"drwxrwxrwt": {Type: berthapi.Dir, Mode: 0o1777},
		"-rwsr-xr-x": {Type: berthapi.File, Mode: 0o4755},
		"-rw-r-Sr--": {Type: berthapi.File, Mode: 0o2644},
		"lrwxrwxrwx": {Type: berthapi.Symlink, Mode: 0o777},
		"crw-rw---T": {Type: berthapi.CharDevice, Mode: 0o1660},
	} {
		if got := lsMode(e); got != want {
			t.Errorf("%+v: %s, want %s", e, got, want)
		}
	}
}
