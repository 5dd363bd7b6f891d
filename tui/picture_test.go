package tui

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/image"

	"berth/tui/feed"
	"berth/tui/logs"
	"berth/tui/picture"
)

// portrait is the console with the recorded containers and some history of
// their load.
func portrait(t *testing.T) *model {
	m := bare(t, 120, 34)
	var cs feed.Containers
	load(t, "containers.json", &cs.List)
	var is feed.Images
	load(t, "images.json", &is.List)
	latin := func(s string) bool { return strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > 0x7f }) < 0 } // fonts of viewers differ most elsewhere
	cs.List = slices.DeleteFunc(cs.List, func(c container.Summary) bool { return !latin(c.Names[0]) })
	is.List = slices.DeleteFunc(is.List, func(i image.Summary) bool { return !latin(i.RepoTags[0]) })
	send(m, cs, is)
	var web string
	for i, c := range m.state.Containers(true, "name", m.use) {
		if !c.Running() {
			continue
		}
		if c.Name == "web" {
			web = c.ID
		}
		u := &usage{last: feed.Sample{Memory: uint64(9+i*13) * 1e6, Limit: 8e9, CPUs: 8, RX: 1.2e6, TX: 9e4, Written: 12e3, Pids: uint64(3 + i), At: time.Unix(1, 0)}}
		for k := range historyLen {
			x := float64(k + 40*i)
			u.cpus = append(u.cpus, 2+26*math.Abs(math.Sin(x*0.9)*math.Sin(x*0.21)))
			u.mems = append(u.mems, float64(u.last.Memory)*(0.35+0.65*float64((k+i*7)%30)/30))
		}
		u.cpu = u.cpus[historyLen-1]
		m.usage[c.ID] = u
	}
	m.version = feed.Version{Name: "berth", Version: "0.1"}
	m.conts.Select(web)
	m.sync()
	m.logs.Reset(m.logSources(), m.streams, true)
	for line := range strings.Lines(string(load(t, "web.log", nil))) {
		line, stderr := strings.CutPrefix(strings.TrimSpace(line), "2|")
		if at, rest, ok := strings.Cut(line, " "); ok && latin(strings.ReplaceAll(rest, "\x1b", "")) {
			m.logs.Append([]logs.Line{{Time: at, Text: rest, Stderr: stderr}})
		}
	}
	return m
}

// A screen of the console becomes a picture: its words, its colours, its
// frames as lines and its graphs as bars.
func TestPicture(t *testing.T) {
	m := portrait(t)
	e := vt.NewEmulator(m.width, m.height)
	if _, err := e.WriteString(strings.Join(m.lines(), "\r\n")); err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]picture.Palette{"dark": picture.Dark, "light": picture.Light} {
		var b bytes.Buffer
		if err := picture.SVG(&b, e, p); err != nil {
			t.Fatal(err)
		}
		got := b.String()
		for _, want := range []string{p.Background, p.Colours[2], p.Colours[4], ">Containers<", "shop-api-1", "exit 137", "web stats", "<path d="} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %s in the picture", name, want)
			}
		}
		if strings.Contains(got, "\x1b") {
			t.Errorf("%s: an escape sequence is in the picture", name)
		}
		if bars := strings.Count(got, `width="8.4"`); bars < 30 {
			t.Errorf("%s: %d bars in the graphs", name, bars)
		}
	}
}
