package tui

import (
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"

	"berth/tui/feed"
	"berth/tui/text"
	"berth/tui/theme"
)

// Two samples make a point; what flows is counted by the second.
func TestPointsOfAGraph(t *testing.T) {
	at := time.Unix(1000, 0)
	one := feed.Sample{At: at, CPU: 1e9, CPUs: 2, Memory: 5e6, RX: 1000, Written: 10, Pids: 3}
	two := feed.Sample{At: at.Add(2 * time.Second), CPU: 2e9, CPUs: 2, Memory: 6e6, RX: 5000, Written: 4, Pids: 4}
	list := plot(nil, feed.Sample{}, one)
	if len(list) != 0 {
		t.Error("one sample tells nothing of what flows")
	}
	list = plot(list, one, two)
	if p := list[0]; p.cpu != 50 || p.rx != 2000 || p.written != 0 || p.mem != 6e6 || p.pids != 4 {
		t.Errorf("%+v", p)
	}
	late := two
	late.At = two.At.Add(graphSpan + time.Second)
	if list = plot(list, two, late); len(list) != 1 {
		t.Errorf("%d points: what is older than five minutes is not shown", len(list))
	}
}

func TestAGraphIsDrawnOverTime(t *testing.T) {
	at := time.Unix(1000, 0)
	points := []point{{at: at, cpu: 100}, {at: at.Add(graphSpan / 4), cpu: 25}, {at: at.Add(graphSpan / 2), cpu: 0}}
	rows := graph(points, func(p point) float64 { return p.cpu }, 100, 8, 2, theme.Style(""))
	if got := strings.Join(rows, "|"); got != "   ██   |   ██▄▄▁" && got != "    ██  |   ███▄▄▁" && len([]rune(rows[0])) != 8 {
		t.Errorf("%q", got)
	}
	if rows := graph(nil, nil, 1, 5, 1, ""); rows[0] != "     " {
		t.Errorf("nothing measured is %q", rows[0])
	}
}

func TestLimitsOfCPU(t *testing.T) {
	for want, h := range map[float64]*container.HostConfig{
		0: {}, 1.5: {Resources: container.Resources{NanoCPUs: 15e8}}, 0.5: {Resources: container.Resources{CPUQuota: 50000, CPUPeriod: 100000}},
	} {
		if got := cpuLimit(h); got != want {
			t.Errorf("%v, want %v", got, want)
		}
	}
}

// The Stats tab fills the detail at every size, and is what it says.
func TestTheStatsTab(t *testing.T) {
	r := start(t, newEngine(t), 120, 36)
	r.WaitFor("● web")
	r.Press("j", "j", "j", "]")
	r.WaitFor("CPU  6.0%", "of 2 CPUs", "MEMORY  3M", "NETWORK  ↓", "BLOCK I/O  r", "PROCESSES", "5 minutes ago", "now")
	r.Press("+")
	r.WaitGone("Images 8")
	r.WaitFor("PROCESSES", "now")
	m := offline(t, 80, 24)
	press(m, "j", "j", "j", "]")
	id := m.subject.id
	for n := range 40 {
		m.measure(feed.Stats{Samples: map[string]feed.Sample{id: {At: time.Unix(int64(n*2), 0), CPU: uint64(n * n * 1e7), CPUs: 2, Memory: uint64(n) * 1e6, Limit: 64e6, PidsMax: 100}}})
	}
	screen := text.Strip(strings.Join(m.lines(), "\n"))
	for _, want := range []string{"61% of 64M", "limit 100", "now", "█"} {
		if !strings.Contains(screen, want) {
			t.Errorf("no %q in\n%s", want, screen)
		}
	}
	m.measure(feed.Stats{})
}

// A row that is wide enough tells how many mounts a container has.
func TestMountsInTheRow(t *testing.T) {
	m := offline(t, 200, 50)
	shows(t, m, "▤1")
	hides(t, offline(t, 80, 24), "▤")
}
