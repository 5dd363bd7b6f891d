// Package transfer shows how far a pull, a push, a build or another transfer is:
// a bar for each part, the whole, how fast it goes and how long it will take; of
// a build also what its steps print.
//
// It is told what the engine says, message by message, and what time it is; it
// does no I/O and asks no clock.
package transfer

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/jsonstream"

	"berth/tui/text"
	"berth/tui/theme"
)

// Progress is one transfer.
type Progress struct {
	layers map[string]*layer
	order  []string
	status string // what the engine said of the whole

	steps   []*step // of a build
	partial string  // of the line that it is printing
	printed int     // lines that are kept
	back    int     // how many lines the view is scrolled back

	began time.Time
	now   time.Time // as far as is known
	moved int64     // bytes since then
}

// layer is one layer on its way.
type layer struct {
	status       string
	current, all int64 // bytes of the transfer; of unpacking only the status is shown
	done         bool
}

// New is a transfer that begins now.
func New(now time.Time) *Progress {
	return &Progress{layers: map[string]*layer{}, began: now, now: now}
}

// Began is when it did.
func (p *Progress) Began() time.Time { return p.began }

// Add takes in what the engine says.
func (p *Progress) Add(m jsonstream.Message) {
	if m.Stream != "" {
		p.print(m.Stream)
		return
	}
	status := text.Clean(m.Status)
	moves := slices.ContainsFunc(moving, func(s string) bool { return strings.HasPrefix(status, s) })
	if m.ID == "" || m.Progress == nil && p.layers[m.ID] == nil && strings.HasPrefix(status, "Pulling from") {
		if status != "" {
			p.status = status
		}
		return
	}
	l := p.layers[m.ID]
	if l == nil {
		l = &layer{}
		p.layers[m.ID] = l
		p.order = append(p.order, m.ID)
	}
	l.status = status
	switch {
	case moves && m.Progress != nil:
		p.moved += max(m.Progress.Current-l.current, 0)
		l.current, l.all = m.Progress.Current, max(m.Progress.Total, l.all)
	case finished(status):
		l.done = true
		l.current = max(l.current, l.all)
	case strings.HasPrefix(status, "Download complete"):
		l.current = max(l.current, l.all)
	}
}

// moving are the words for bytes on their way over the wire.
var moving = []string{"Downloading", "Pushing", "Sending", "Saving", "Loading"}

// Part is how much of the whole is done, from 0 to 1; false when nobody knows.
func (p *Progress) Part() (float64, bool) {
	if at, all := p.step(); all > 0 {
		return float64(at-1) / float64(all), true
	}
	current, all := p.Totals()
	if all <= 0 {
		return 0, false
	}
	return float64(current) / float64(all), true
}

// Brief is the whole in a few words: how much, and how fast.
func (p *Progress) Brief(now time.Time) string {
	if at, all := p.step(); all > 0 {
		return fmt.Sprintf("step %d of %d", at, all)
	}
	part, ok := p.Part()
	if !ok {
		return p.status
	}
	s := fmt.Sprintf("%.0f%%", part*100)
	if speed := p.speed(now); speed > 0 && part < 1 {
		s += " " + size(int64(speed)) + "/s"
	}
	return s
}

// speed is how many bytes have moved each second.
func (p *Progress) speed(now time.Time) float64 {
	took := now.Sub(p.began).Seconds()
	if took <= 0.2 {
		return 0
	}
	return float64(p.moved) / took
}

// finished tells whether a layer is where it should be.
func finished(status string) bool {
	for _, s := range []string{"Pull complete", "Already exists", "Pushed", "Layer already exists", "Mounted from"} {
		if strings.HasPrefix(status, s) {
			return true
		}
	}
	return false
}

// Totals are the bytes that have come, and those there are as far as is known.
func (p *Progress) Totals() (current, all int64) {
	for _, l := range p.layers {
		current += l.current
		all += l.all
	}
	return current, all
}

// Lines draws at most height lines of the given width: the layers under way,
// the newest at the bottom, then the whole.
func (p *Progress) Lines(th theme.Theme, width, height int, now time.Time) []string {
	var rows []string
	complete := 0
	for _, id := range p.order {
		l := p.layers[id]
		if l.done {
			complete++
		}
		rows = append(rows, p.row(th, id, l, width))
	}
	room := max(height-3, 1)
	if p.Printed() { // of a build its words are more than its bars
		return append(p.stepLines(th, width, room, now), th.Border.Render(strings.Repeat("─", width)), text.Fit(p.total(complete, now), width), text.Fit(" "+th.Dim.Render(p.status), width))
	}
	if len(rows) > room { // what is done goes first
		var open []string
		for i, id := range p.order {
			if !p.layers[id].done {
				open = append(open, rows[i])
			}
		}
		if len(open) < room {
			open = rows[len(rows)-room:]
		}
		rows = open[:min(room, len(open))]
	}
	rows = append(rows, th.Border.Render(strings.Repeat("─", width)))
	return append(rows, text.Fit(p.total(complete, now), width), text.Fit(" "+th.Dim.Render(p.status), width))
}

// row is one layer: its ID, a bar, how much, and what is being done.
func (p *Progress) row(th theme.Theme, id string, l *layer, width int) string {
	const idWidth, amount = 12, 15
	bar := max(min(30, width-idWidth-amount-22), 5)
	style := th.Info
	if l.done {
		style = th.Good
	}
	part := 0.0
	switch {
	case l.done:
		part = 1
	case l.all > 0:
		part = float64(l.current) / float64(l.all)
	}
	how := ""
	if l.all > 0 {
		how = size(l.current) + "/" + size(l.all)
	}
	return text.Fit(" "+text.Fit(text.Clean(id), idWidth)+" "+style.Render(Bar(part, bar))+" "+text.FitLeft(how, amount)+"  "+l.status, width)
}

// total is the whole in a line.
func (p *Progress) total(complete int, now time.Time) string {
	current, all := p.Totals()
	s := fmt.Sprintf(" %d of %d layers", complete, len(p.order))
	switch {
	case p.Printed():
		return p.stepTotal(now)
	case len(p.order) == 1: // one file, no layers
		s = ""
	}
	if all > 0 {
		s += fmt.Sprintf("  %s of %s", size(current), size(all))
	}
	if speed := p.speed(now); speed > 0 && current < all {
		left := time.Duration(float64(all-current)/speed) * time.Second
		s += fmt.Sprintf("  %s/s  %s left", size(int64(speed)), left.Round(time.Second))
	}
	return s
}

// Bar is a bar of width cells, filled to a part of 1.
func Bar(part float64, width int) string {
	n := int(min(max(part, 0), 1) * float64(width))
	return strings.Repeat("━", n) + strings.Repeat("┄", width-n)
}

// size writes bytes in at most six cells.
func size(n int64) string {
	return units.CustomSize("%.3g%s", float64(n), 1000, []string{"B", "k", "M", "G", "T", "P"})
}
