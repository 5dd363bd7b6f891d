package engine

import (
	"testing"
	"time"

	"github.com/containerd/errdefs"
)

func TestFiltersMatchAsDockerDoes(t *testing.T) {
	f := Filters{"name": {"web", "^db$"}, "label": {"a", "b=2"}, "label!": {"c"}, "dangling": {"true"}, "status": {"exited"}}
	if err := f.Allow("name", "label", "label!", "dangling", "status"); err != nil {
		t.Error(err)
	}
	if err := f.Allow("name"); !errdefs.IsInvalidArgument(err) {
		t.Errorf("unknown keys must be refused, got %v", err)
	}
	for value, want := range map[string]bool{"my-web-1": true, "db": true, "db1": false, "x": false} {
		if f.Match("name", value) != want {
			t.Errorf("name %q: want %v", value, want)
		}
	}
	if !f.Match("absent", "x") || !f.Exact("absent", "x") || !f.Exact("status", "exited") || f.Exact("status", "running") {
		t.Error("an absent key matches everything, a present one its values only")
	}
	for _, c := range []struct {
		labels map[string]string
		want   bool
	}{
		{map[string]string{"a": "", "b": "2"}, true},
		{map[string]string{"a": "", "b": "3"}, false},
		{map[string]string{"b": "2"}, false},
		{map[string]string{"a": "", "b": "2", "c": ""}, false},
	} {
		if f.Labels(c.labels) != c.want {
			t.Errorf("labels %v: want %v", c.labels, c.want)
		}
	}
	if b, err := f.Bool("dangling", false); !b || err != nil {
		t.Errorf("dangling: %v, %v", b, err)
	}
	if _, err := f.Bool("name", false); !errdefs.IsInvalidArgument(err) {
		t.Errorf("a name is no boolean: %v", err)
	}
}

func TestParseTime(t *testing.T) {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.Local)
	for text, want := range map[string]time.Time{
		"":                     {},
		"0":                    {},
		"90m":                  now.Add(-90 * time.Minute),
		"1000.5":               time.Unix(1000, 5e8),
		"1000.000000001":       time.Unix(1000, 1),
		"1000":                 time.Unix(1000, 0),
		"2026-05-04T10:00:00Z": time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC),
		"2026-05-04T10:00":     time.Date(2026, 5, 4, 10, 0, 0, 0, time.Local),
		"2026-05-04":           time.Date(2026, 5, 4, 0, 0, 0, 0, time.Local),
	} {
		if got, err := ParseTime(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"yesterday", "1.2.3", "1.0000000001", "1.-5", "--"} {
		if _, err := ParseTime(text, now); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%q: got %v", text, err)
		}
	}
	if _, err := (Filters{"until": {"1h", "2h"}}).Until(now); !errdefs.IsInvalidArgument(err) {
		t.Errorf("two untils: %v", err)
	}
}
