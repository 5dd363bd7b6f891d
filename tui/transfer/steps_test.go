package transfer

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/jsonstream"

	"berth/tui/text"
	"berth/tui/theme"
)

// said is a build that has printed pieces, one a second.
func said(pieces ...string) *Progress {
	began := time.Unix(100, 0)
	p := New(began)
	for i, s := range pieces {
		p.At(began.Add(time.Duration(i) * time.Second))
		p.Add(jsonstream.Message{Stream: s})
	}
	return p
}

func shown(p *Progress, height int) string {
	return text.Strip(strings.Join(p.Lines(theme.ANSI16(), 60, height, p.now), "\n"))
}

func has(t *testing.T, screen string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(screen, w) {
			t.Errorf("%q is missing\n%s", w, screen)
		}
	}
}

// Each builder begins its steps in its own way, and cuts lines where it likes.
func TestABuildIsShownStepByStep(t *testing.T) {
	docker := said("Step 1/3 : FROM scratch", "\n", " ---> Using cache\n", "Step 2/3 : RUN make\n", "half a ", "line\n10%\r90%\r", "100%\n", "x")
	has(t, shown(docker, 14), "✓ 1/3 FROM scratch", "cached ", "▸ 2/3 RUN make", "     half a line ", "     100% ", "     x ", "step 2 of 3", "7.0s")
	if s := shown(docker, 14); strings.Contains(s, "90%") || strings.Contains(s, "Using cache") {
		t.Errorf("what is over is shown\n%s", s)
	}
	if at, all := docker.step(); at != 2 || all != 3 || docker.Brief(docker.now) != "step 2 of 3" {
		t.Errorf("%d of %d: %s", at, all, docker.Brief(docker.now))
	}
	podman := said("[1/2] STEP 1/2: FROM scratch AS base\n", "--> 1234\n", "[2/2] STEP 1/3: FROM scratch\n")
	has(t, shown(podman, 10), "✓ 1:1/2 FROM scratch AS base", "2.0s", "▸ 2:1/3 FROM scratch")
	plain := said("no step at all\n")
	has(t, shown(plain, 8), "no step at all", "0.0s")
}

// The step that fails keeps what it printed, and all of it can be read.
func TestAStepThatFailsKeepsItsWords(t *testing.T) {
	p := said("Step 1/2 : COPY . .\n", "copied\n", "Step 2/2 : RUN make\n")
	for i := range 40 {
		p.Add(jsonstream.Message{Stream: fmt.Sprintf("line %d\n", i)})
	}
	p.Add(jsonstream.Message{Stream: "the end"})
	p.Fail()
	has(t, shown(p, 12), "line 39", "the end")
	p.Scroll(1000)
	has(t, shown(p, 12), "✓ 1/2 COPY . .", "copied", "✗ 2/2 RUN make", "line 0")
	p.Scroll(-3)
	p.Scroll(-1000)
	has(t, shown(p, 12), "the end")
	for _, l := range p.Lines(theme.ANSI16(), 31, 9, p.now) {
		if text.Width(l) != 31 {
			t.Errorf("%d cells: %q", text.Width(l), l)
		}
	}
}

// What a build prints without end takes no room without end, and the newest is kept.
func TestMuchOutputIsBounded(t *testing.T) {
	p := said("Step 1/2 : RUN one\n", strings.Repeat("old\n", 500), "Step 2/2 : RUN yes\n", strings.Repeat("y\n", 3*keptOutput)+"new\n")
	n := 0
	for _, s := range p.steps {
		n += len(s.lines)
	}
	if n != keptOutput {
		t.Errorf("%d lines are kept", n)
	}
	has(t, shown(p, 12), "new")
	p.Scroll(5)
	before := shown(p, 12)
	p.Add(jsonstream.Message{Stream: "newer\n"})
	if after := shown(p, 12); after != before {
		t.Errorf("what is read moves\n%s\n%s", before, after)
	}
}
