package feed

import (
	"context"
	"fmt"
	"time"

	"github.com/moby/moby/api/types/events"
	"github.com/moby/moby/client"
)

// Past is what happened before the console began to look, the oldest first.
type Past struct{ Events []events.Message }

// lookBack is how far the console looks back: within a day a clock's time is
// enough to say when.
const lookBack = 24 * time.Hour

// past sends what the engine remembers of the time before. Nothing depends on
// it, so an engine that cannot tell is not complained about.
func (f *Feed) past(ctx context.Context, before time.Time) {
	at := func(t time.Time) string { return fmt.Sprintf("%d.%09d", t.Unix(), t.Nanosecond()) }
	sub := f.c.Events(ctx, client.EventsListOptions{Since: at(before.Add(-lookBack)), Until: at(before)})
	var told []events.Message
	for {
		select {
		case e := <-sub.Messages:
			told = append(told, e)
		case <-sub.Err: // io.EOF, when all is told
			if len(told) > 0 {
				f.send(Past{Events: told})
			}
			return
		}
	}
}
