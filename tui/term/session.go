package term

import (
	"context"
	"io"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"berth/tui/term/screen"
	"berth/tui/text"
)

const (
	// paintEvery is the shortest time between two repaints of a session.
	paintEvery = 16 * time.Millisecond
	// paintHidden is the same for a session that is not shown.
	paintHidden = 500 * time.Millisecond
	// holdFor bounds how long a synchronised update may keep a repaint back.
	holdFor = 100 * time.Millisecond
	// maxInput bounds what is kept for a program that does not read; answers
	// to queries are dropped much earlier than what the user typed.
	maxInput   = 1 << 20
	maxReplies = 64 << 10
)

// state is where a session is in its life; it only moves forward.
type state int

const (
	connecting state = iota
	running
	ended
)

// session is one stream and its screen.
type session struct {
	id        string
	container string
	name      string // of the container
	number    int    // among the sessions of its container, from 1
	kind      Kind
	command   []string // of a Command, and its environment
	environ   []string
	cancel    context.CancelFunc
	dirty     chan struct{} // of capacity 1: there is something to paint
	resized   chan struct{} // of capacity 1: the size changed
	typed     chan struct{} // of capacity 1: there is input

	mu       sync.Mutex
	scr      *screen.Terminal
	state    state
	input    []byte
	rawInput bool // the program has a terminal
	stream   io.Closer
	exitCode int
	detached bool
	waiting  bool // the stream is over and no engine answers
	err      error

	view     *scrollView // nil: the live screen; touched by Update and View alone
	reported bool        // EndedMsg was sent; likewise
	heldP    bool        // ctrl+p was pressed and may become a detach; likewise
}

// newSession is a session that is not connected yet.
func newSession(id, container, name string, number int, kind Kind, width, height, scrollback int) *session {
	return &session{
		id: id, container: container, name: name, number: number, kind: kind,
		cancel:  func() {},
		dirty:   make(chan struct{}, 1),
		resized: make(chan struct{}, 1),
		typed:   make(chan struct{}, 1),
		scr:     screen.New(width, height, scrollback),
	}
}

// poke leaves a signal in a channel of capacity 1; one that is there already will do.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// send queues bytes for the program. It reports false when the program has
// stopped reading and there is no room.
func (s *session) send(p []byte) bool {
	if len(p) == 0 {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == ended || len(s.input)+len(p) > maxInput {
		return false
	}
	s.input = append(s.input, p...)
	poke(s.typed)
	return true
}

// resize sets the screen's size; the program is told by another goroutine.
func (s *session) resize(width, height int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w, h := s.scr.Size()
	if w == width && h == height {
		return
	}
	if s.view != nil && w != width {
		defer s.view.keep(s.scr)()
	}
	s.scr.Resize(width, height)
	poke(s.resized)
}

// size is the size of the screen in cells.
func (s *session) size() (width, height int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.scr.Size()
}

// output feeds bytes of the program into the screen and queues its answers.
func (s *session) output(p []byte) {
	s.mu.Lock()
	s.scr.Write(p)
	if r := s.scr.Replies(); len(r) > 0 && len(s.input)+len(r) <= maxReplies {
		s.input = append(s.input, r...)
		poke(s.typed)
	}
	s.mu.Unlock()
	poke(s.dirty)
}

// pump copies the stream into the screen until it ends.
func (s *session) pump(r io.Reader) error {
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			s.output(buf[:n])
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// feed writes queued input to the stream until done is closed.
func (s *session) feed(w io.Writer, done <-chan struct{}) {
	for {
		s.mu.Lock()
		p := s.input
		s.input = nil
		s.mu.Unlock()
		if len(p) > 0 {
			if _, err := w.Write(p); err != nil {
				return // the reader sees the broken stream too, and reports it
			}
			continue
		}
		select {
		case <-s.typed:
		case <-done:
			return
		}
	}
}

// finish records the end.
func (s *session) finish(code int, detached bool, err error) {
	s.mu.Lock()
	s.state, s.exitCode, s.detached, s.err = ended, code, detached, err
	s.input, s.stream = nil, nil
	if err != nil { // the screen has room for all of it
		s.scr.Write([]byte("\r\n" + text.Clean(err.Error())))
	}
	s.mu.Unlock()
	poke(s.dirty)
}

// end closes the stream. A shell is asked to leave first: it hears an
// interrupt and an end of file, since an engine lets a process whose terminal
// nobody holds run on.
func (s *session) end() {
	s.mu.Lock()
	stream, live := s.stream, s.state != ended
	if s.kind == Shell && live && s.state == running {
		s.input = append(s.input, "\x03\x04"...)
		poke(s.typed)
	}
	s.mu.Unlock()
	switch {
	case !live:
	case s.kind == Shell && stream != nil:
		time.AfterFunc(300*time.Millisecond, func() { s.cancel(); stream.Close() })
	default:
		s.cancel()
		if stream != nil {
			stream.Close()
		}
	}
}

// paintMsg: the screen of a session changed.
type paintMsg struct{ session string }

// wait returns a command that reports the next change of the screen, at most
// every so often.
func (s *session) wait(every time.Duration) tea.Cmd {
	return func() tea.Msg {
		start := time.Now()
		<-s.dirty
		if rest := every - time.Since(start); rest > 0 {
			time.Sleep(rest)
		}
		for begin := time.Now(); s.holding() && time.Since(begin) < holdFor; {
			time.Sleep(paintEvery / 4)
		}
		return paintMsg{s.id}
	}
}

// holding reports a synchronised update in progress.
func (s *session) holding() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.scr.Holding()
}
