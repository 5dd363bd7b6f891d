package tui

import (
	"math"
	"testing"
	"time"

	"berth/tui/feed"
)

func TestSparklines(t *testing.T) {
	for _, c := range []struct {
		values []float64
		width  int
		floor  float64
		want   string
	}{
		{nil, 4, 10, "▁▁▁▁"},
		{[]float64{0, 0}, 4, 10, "▁▁▁▁"},
		{[]float64{0, 50, 100}, 3, 10, "▁▅█"},
		{[]float64{1, 2, 3, 100}, 2, 10, "▁█"},
		{[]float64{8}, 4, 8, "████"}, // a steady value never repaints
		{[]float64{5}, 0, 8, ""},
		{[]float64{1}, 2, 0, "██"},
	} {
		if got := spark(c.values, c.width, c.floor); got != c.want {
			t.Errorf("%v in %d: %s, want %s", c.values, c.width, got, c.want)
		}
	}
}

func TestMeasuring(t *testing.T) {
	m := offline(t, 120, 36)
	var web, stopped string
	for _, c := range m.state.Containers(true, "name", m.use) {
		switch c.Name {
		case "web":
			web = c.ID
		case "report":
			stopped = c.ID
		}
	}
	at := time.Unix(100, 0)
	for i := range historyLen + 5 {
		s := feed.Sample{CPU: uint64(i) * 1e9 / 4, Memory: 1e6 * uint64(i), At: at.Add(time.Duration(i) * time.Second)}
		send(m, feed.Stats{Samples: map[string]feed.Sample{web: s, stopped: s}})
	}
	u := m.usage[web]
	if u == nil || math.Abs(u.cpu-25) > 0.01 || len(u.cpus) != historyLen || len(u.mems) != historyLen {
		t.Fatalf("%+v", u)
	}
	if m.usage[stopped] != nil {
		t.Error("a container that does not run has a load")
	}
	if cpu, mem := m.use(web); cpu != u.cpu || mem != u.last.Memory {
		t.Errorf("%v %v", cpu, mem)
	}
	if cpu, mem := m.use("nobody"); cpu != 0 || mem != 0 {
		t.Errorf("%v %v", cpu, mem)
	}
}

// Only what is visible is measured, the selected one more often than the rest.
func TestOnlyVisibleRowsArePolled(t *testing.T) {
	m := crowd(t, 500)
	for m.ticks = range 12 {
		if m.poll() == nil {
			t.Fatalf("tick %d measures nothing", m.ticks)
		}
	}
	m.focus(images)
	m.ticks = 4
	if m.poll() != nil {
		t.Error("between looks at all rows, something is measured though no container is selected")
	}
}

func TestSizes(t *testing.T) {
	for n, want := range map[uint64]string{0: "0B", 999: "999B", 1500: "1.5k", 71_200_000: "71.2M", 2e12: "2T"} {
		if got := size(n); got != want {
			t.Errorf("%d is %s", n, got)
		}
	}
}
