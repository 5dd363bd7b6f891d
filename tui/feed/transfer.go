package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/client"
)

// Transfer is what was said of a transfer since the last one, and whether that
// was all. Nth tells one transfer from another.
type Transfer struct {
	Nth      int
	Messages []jsonstream.Message
	Ended    bool
	Err      error
}

// transferEvery is how often what a transfer says is handed over: engines say
// more than anybody can see.
const transferEvery = 50 * time.Millisecond

// Stream is what pulls and pushes answer.
type Stream interface {
	JSONMessages(ctx context.Context) iter.Seq2[jsonstream.Message, error]
}

// Say takes in how far a transfer is; it may be called from several goroutines.
type Say func(jsonstream.Message)

// Carry is the command that runs a transfer until it ends or ctx does.
func (f *Feed) Carry(ctx context.Context, nth int, do func(ctx context.Context, c *client.Client, say Say) error) tea.Cmd {
	return func() tea.Msg {
		h := hand{f: f, nth: nth, last: time.Now()}
		err := do(ctx, f.c, h.say)
		h.over()
		if errors.Is(ctx.Err(), context.Canceled) {
			err = context.Canceled
		}
		return Transfer{Nth: nth, Ended: true, Err: err}
	}
}

// hand collects what a transfer says and hands it over in batches. Its lock is a
// leaf but for the sending, which keeps the order.
type hand struct {
	f   *Feed
	nth int

	mu    sync.Mutex
	batch []jsonstream.Message
	last  time.Time
}

// say collects a message.
func (h *hand) say(m jsonstream.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.batch = append(h.batch, m); time.Since(h.last) >= transferEvery {
		h.f.send(Transfer{Nth: h.nth, Messages: h.batch})
		h.batch, h.last = nil, time.Now()
	}
}

// over hands the rest over.
func (h *hand) over() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.f.send(Transfer{Nth: h.nth, Messages: h.batch})
	h.batch = nil
}

// Follow says what a stream says, until it ends.
func Follow(ctx context.Context, s Stream, say Say) error {
	for m, err := range s.JSONMessages(ctx) {
		if err != nil {
			return fmt.Errorf("reading what the engine says: %w", err)
		}
		if m.Error != nil {
			return m.Error
		}
		say(m)
	}
	return nil
}

// FollowBody is Follow for an answer that is not parsed yet.
func FollowBody(r io.Reader, say Say) error {
	for d := json.NewDecoder(r); ; {
		var m jsonstream.Message
		switch err := d.Decode(&m); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("reading what the engine says: %w", err)
		case m.Error != nil:
			return m.Error
		}
		say(m)
	}
}

// Counted is a reader whose bytes are said as those of one part of a transfer.
// total is 0 when it is not known.
func Counted(r io.Reader, id, status string, total int64, say Say) io.Reader {
	return &counted{r: r, id: id, status: status, total: total, say: say}
}

// sayEvery is how many bytes lie between two messages of a counted reader.
const sayEvery = 256 << 10

type counted struct {
	r              io.Reader
	id, status     string
	n, said, total int64
	say            Say
}

// Read says how much has been read, now and then and at the end.
func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if c.n-c.said >= sayEvery || err != nil && c.n > c.said {
		c.said = c.n
		c.say(jsonstream.Message{ID: c.id, Status: c.status, Progress: &jsonstream.Progress{Current: c.n, Total: max(c.total, c.n)}})
	}
	return n, err
}
