package feed

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/client"
)

// Transfer is what the engine said of a pull or a push since the last one, and
// whether that was all. Nth tells one transfer from another.
type Transfer struct {
	Nth      int
	Messages []jsonstream.Message
	Ended    bool
	Err      error
}

// transferEvery is how often what a transfer says is handed over: engines say
// more than anybody can see.
const transferEvery = 50 * time.Millisecond

// Stream is what both a pull and a push answer.
type Stream interface {
	JSONMessages(ctx context.Context) iter.Seq2[jsonstream.Message, error]
}

// BeginTransfer is the command that runs a pull or a push until it ends or ctx does.
func (f *Feed) BeginTransfer(ctx context.Context, nth int, begin func(ctx context.Context, c *client.Client) (Stream, error)) tea.Cmd {
	return func() tea.Msg {
		err := f.transfer(ctx, nth, begin)
		if errors.Is(ctx.Err(), context.Canceled) {
			err = context.Canceled
		}
		return Transfer{Nth: nth, Ended: true, Err: err}
	}
}

func (f *Feed) transfer(ctx context.Context, nth int, begin func(ctx context.Context, c *client.Client) (Stream, error)) error {
	stream, err := begin(ctx, f.c)
	if err != nil {
		return err
	}
	var batch []jsonstream.Message
	last := time.Now()
	for m, err := range stream.JSONMessages(ctx) {
		if err != nil {
			return fmt.Errorf("reading what the engine says: %w", err)
		}
		if m.Error != nil {
			return m.Error
		}
		if batch = append(batch, m); time.Since(last) >= transferEvery {
			f.send(Transfer{Nth: nth, Messages: batch})
			batch, last = nil, time.Now()
		}
	}
	f.send(Transfer{Nth: nth, Messages: batch})
	return nil
}
