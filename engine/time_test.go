package engine

import (
	"testing"
	"time"

	"github.com/containerd/errdefs"
)

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
	for _, text := range []string{"yesterday", "1.2.3", "1.00000000x1", "1.-5", "--"} {
		if _, err := ParseTime(text, now); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%q: got %v", text, err)
		}
	}
}
