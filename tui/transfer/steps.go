package transfer

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"berth/tui/text"
	"berth/tui/theme"
)

// step is a step of a build, and what it has printed.
type step struct {
	at, all     int // this one, and how many there are; 0 of what is printed before the first
	stage       [2]int
	title       string
	began, over time.Time // over is zero while it goes on
	cached, bad bool
	lines       []string
}

// stepLine is how builders begin a step: dockerd and berth "Step 1/5 : RUN make", podman
// "[1/2] STEP 1/5: RUN make", of two stages the first.
var stepLine = regexp.MustCompile(`^(?:\[(\d+)/(\d+)\] )?(?:Step|STEP) (\d+)/(\d+) ?: (.*)$`)

// keptOutput is how many lines of what a build prints are kept.
const keptOutput = 2000

// At tells what time it is for what is added next.
func (p *Progress) At(now time.Time) { p.now = now }

// Printed tells whether there are words of a build.
func (p *Progress) Printed() bool { return p.steps != nil }

// print takes in what a build prints: pieces of lines, as they come.
func (p *Progress) print(s string) {
	all := strings.Split(p.partial+s, "\n")
	p.partial = all[len(all)-1]
	for _, line := range all[:len(all)-1] {
		p.printLine(line)
	}
}

// printLine takes in a whole line. What a program has written over is gone.
func (p *Progress) printLine(line string) {
	line = strings.TrimRight(line, "\r")
	line = text.CleanSGR(line[strings.LastIndexByte(line, '\r')+1:])
	if m := stepLine.FindStringSubmatch(text.Strip(line)); m != nil {
		s := &step{title: m[5], began: p.now}
		for i, into := range []*int{&s.stage[0], &s.stage[1], &s.at, &s.all} {
			*into, _ = strconv.Atoi(m[i+1]) // a stage that is not named is none
		}
		p.close()
		p.steps = append(p.steps, s)
		return
	}
	if p.steps == nil {
		p.steps = []*step{{began: p.now}}
	}
	last := p.steps[len(p.steps)-1]
	if strings.Contains(line, "---> Using cache") || strings.Contains(line, "--> Using cache") {
		last.cached = true
	}
	if strings.TrimSpace(text.Strip(line)) == "" && len(last.lines) == 0 {
		return
	}
	last.lines = append(last.lines, line)
	if p.back > 0 { // one who reads what was before goes on reading
		p.back++
	}
	if p.printed++; p.printed > keptOutput {
		for _, s := range p.steps { // the oldest goes
			if len(s.lines) > 0 {
				s.lines = s.lines[1:]
				p.printed--
				break
			}
		}
	}
}

// close ends the step that is under way.
func (p *Progress) close() {
	if n := len(p.steps); n > 0 && p.steps[n-1].over.IsZero() {
		p.steps[n-1].over = p.now
	}
}

// Fail notes that the build has ended at the step that was under way.
func (p *Progress) Fail() {
	if p.partial != "" {
		p.print("\n")
	}
	p.close()
	if n := len(p.steps); n > 0 {
		p.steps[n-1].bad = true
	}
}

// step is where a build is, and how far that is: of several stages all steps count the same.
func (p *Progress) step() (at, all int) {
	if len(p.steps) == 0 {
		return 0, 0
	}
	s := p.steps[len(p.steps)-1]
	return s.at, s.all
}

// Scroll shows what was printed earlier, or later when by is negative.
func (p *Progress) Scroll(by int) { p.back = max(p.back+by, 0) }

// stepLines draws the steps, each with how long it took, and what those print that are
// not well or not over, in height lines.
func (p *Progress) stepLines(th theme.Theme, width, height int, now time.Time) []string {
	var rows []string
	for i, s := range p.steps {
		last := i == len(p.steps)-1
		if s.all > 0 {
			rows = append(rows, s.head(th, width, now))
		}
		if !last && p.back == 0 && s.all > 0 { // what a step that is over has printed is read by scrolling back
			continue
		}
		for _, line := range s.lines {
			rows = append(rows, text.Fit("     "+line, width))
		}
		if last && p.partial != "" {
			rows = append(rows, text.Fit("     "+text.CleanSGR(p.partial[strings.LastIndexByte(p.partial, '\r')+1:]), width))
		}
	}
	p.back = min(p.back, max(len(rows)-height, 0))
	end := len(rows) - p.back
	rows = rows[max(end-height, 0):end]
	for len(rows) < height {
		rows = append(rows, text.Spaces(width))
	}
	return rows
}

// head is a step in a line: how it is, which one, what, and how long it took.
func (s *step) head(th theme.Theme, width int, now time.Time) string {
	sign, style, over := th.Warn.Render("▸"), th.Accent, s.over
	switch {
	case s.bad:
		sign, style = th.Bad.Render("✗"), th.Bad
	case !over.IsZero():
		sign, style = th.Good.Render("✓"), th.Text
	}
	if over.IsZero() {
		over = now
	}
	took := took(over.Sub(s.began))
	if s.cached {
		took = "cached"
	}
	number := fmt.Sprintf("%d/%d", s.at, s.all)
	if s.stage[1] > 0 {
		number = fmt.Sprintf("%d:%s", s.stage[0], number)
	}
	room := max(width-len(number)-len(took)-6, 0)
	return text.Fit(" "+sign+" "+th.Dim.Render(number)+" "+style.Render(text.Fit(s.title, room))+" "+th.Dim.Render(took)+" ", width)
}

// took writes how long something took in few cells.
func took(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// stepTotal is the whole build in a line.
func (p *Progress) stepTotal(now time.Time) string {
	at, all := p.step()
	if all == 0 {
		return " " + took(now.Sub(p.began))
	}
	part, _ := p.Part()
	return fmt.Sprintf(" step %d of %d  ", at, all) + Bar(part, 30) + "  " + took(now.Sub(p.began))
}
