// Package progress shows what an engine reports of a pull or a push.
//
// Elsewhere than on a terminal these are docker's plain lines, without the
// bytes. On a terminal each layer has a line that changes in place, below them
// stands a line about all of them (bytes, speed, time left), and what is not
// of a layer scrolls by above.
//
// It must not import a client or an engine: it reads the messages.
package progress

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/moby/moby/api/types/jsonstream"
)

// Plain writes messages line by line. The first error among them ends it and
// is returned.
func Plain(r io.Reader, w io.Writer) error {
	return each(r, func(m jsonstream.Message) error {
		if m.Error != nil {
			return m.Error
		}
		if m.Aux != nil || m.Progress != nil && (m.Progress.Current > 0 || m.Progress.Total > 0) {
			return nil
		}
		text := m.Stream
		if text == "" {
			text = m.Status + "\n"
		}
		if m.ID != "" {
			text = m.ID + ": " + text
		}
		_, err := io.WriteString(w, text)
		return err
	})
}

// each calls f for every message of a stream.
func each(r io.Reader, f func(jsonstream.Message) error) error {
	for dec := json.NewDecoder(r); ; {
		var m jsonstream.Message
		switch err := dec.Decode(&m); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("reading the engine's progress: %w", err)
		}
		if err := f(m); err != nil {
			return err
		}
	}
}

// Size tells the rows and columns of the terminal.
type Size func() (rows, columns int)

// drawEvery is the time between two pictures; a terminal shows no more.
const drawEvery = 50 * time.Millisecond

// Terminal draws messages on a terminal. The first error among them ends it
// and is returned.
func Terminal(r io.Reader, w io.Writer, size Size) error {
	s := &screen{w: bufio.NewWriterSize(w, 64<<10), size: size, now: time.Now, index: map[string]int{}}
	s.start = s.now()
	err := each(r, s.message)
	return errors.Join(err, s.draw())
}

// screen is what stands on the terminal.
type screen struct {
	w        *bufio.Writer
	size     Size
	now      func() time.Time
	start    time.Time // of the work
	lastByte time.Time // when one came or went
	drawn    time.Time

	layers []layer
	index  map[string]int // of layers, by ID
	height int            // lines drawn below what scrolls
}

// layer is one line.
type layer struct {
	id, status     string
	current, total int64 // of the present step
	moved, size    int64 // bytes that came or went over the network
	active         bool
}

// transfers are the states in which bytes go over the network.
var transfers = map[string]bool{"Downloading": true, "Pushing": true}

// message takes one message in, and draws if it is time.
func (s *screen) message(m jsonstream.Message) error {
	switch {
	case m.Error != nil:
		return m.Error
	case m.Aux != nil:
		return nil
	case m.ID == "" || m.Progress == nil:
		return s.scroll(m)
	}
	i, ok := s.index[m.ID]
	if !ok {
		i = len(s.layers)
		s.index[m.ID] = i
		s.layers = append(s.layers, layer{id: m.ID})
	}
	l := &s.layers[i]
	l.status, l.current, l.total = m.Status, m.Progress.Current, m.Progress.Total
	l.active = l.total > 0
	if transfers[m.Status] {
		if l.current != l.moved {
			s.lastByte = s.now()
		}
		l.moved, l.size = l.current, l.total
	} else if l.size > 0 {
		l.moved = l.size // the step that follows tells that all is there
	}
	if s.now().Sub(s.drawn) < drawEvery {
		return nil
	}
	return s.draw()
}

// scroll prints a line that stays, above the layers.
func (s *screen) scroll(m jsonstream.Message) error {
	text := m.Stream
	if text == "" {
		text = m.Status + "\n"
	}
	if m.ID != "" {
		text = m.ID + ": " + text
	}
	if len(s.layers) > 0 {
		// What comes after the layers belongs below them.
		if err := s.draw(); err != nil {
			return err
		}
		s.layers, s.index, s.height = nil, map[string]int{}, 0
	}
	if _, err := s.w.WriteString(text); err != nil {
		return err
	}
	return s.w.Flush()
}

// draw writes all lines anew in their place.
func (s *screen) draw() error {
	s.drawn = s.now()
	rows, columns := s.size()
	lines := s.lines(rows, columns)
	if s.height > 0 {
		fmt.Fprintf(s.w, "\x1b[%dA", s.height)
	}
	for _, l := range lines {
		fmt.Fprintf(s.w, "\r\x1b[2K%s\n", l)
	}
	for range s.height - len(lines) {
		fmt.Fprint(s.w, "\r\x1b[2K\n")
	}
	if extra := s.height - len(lines); extra > 0 {
		fmt.Fprintf(s.w, "\x1b[%dA", extra)
	}
	s.height = len(lines)
	return s.w.Flush()
}

// lines are what fits: those under way, when not all do.
func (s *screen) lines(rows, columns int) []string {
	if len(s.layers) == 0 {
		return nil
	}
	room := max(1, rows-2)
	var lines []string
	skipped := len(s.layers) - room
	for _, l := range s.layers {
		if skipped > 0 && !l.active {
			skipped--
			continue
		}
		if len(lines) < room {
			lines = append(lines, cut(l.text(columns), columns))
		}
	}
	if total := s.total(); total != "" {
		lines = append(lines, cut(total, columns))
	}
	return lines
}

// text is the line of a layer.
func (l *layer) text(columns int) string {
	text := l.id + ": " + l.status
	if !l.active {
		return text
	}
	if columns > 100 {
		const width = 50
		n := int(min(l.current, l.total) * width / l.total)
		text += fmt.Sprintf(" [%s>%s]", strings.Repeat("=", n), strings.Repeat(" ", width-n))
	}
	return text + fmt.Sprintf(" %8s/%s", units.HumanSize(float64(l.current)), units.HumanSize(float64(l.total)))
}

// total is the line about all layers; "" while no bytes have moved.
func (s *screen) total() string {
	var moved, size int64
	known := true
	for _, l := range s.layers {
		moved, size = moved+l.moved, size+l.size
		known = known && (l.size > 0 || l.status != "Pulling fs layer" && l.status != "Waiting" && l.status != "Preparing")
	}
	if moved == 0 {
		return ""
	}
	// What follows the last byte, unpacking, is not the network's time.
	took := s.lastByte.Sub(s.start)
	speed := float64(moved) / max(took.Seconds(), 0.001)
	text := fmt.Sprintf("Total: %s/%s at %s/s", units.HumanSize(float64(moved)), units.HumanSize(float64(size)), units.HumanSize(speed))
	if left := time.Duration(float64(size-moved) / speed * float64(time.Second)); moved < size && known && took > time.Second {
		text += ", " + left.Round(time.Second).String() + " left"
	}
	return text
}

// cut keeps a line from taking two.
func cut(text string, columns int) string {
	if columns > 1 && len(text) >= columns {
		return text[:columns-1]
	}
	return text
}
