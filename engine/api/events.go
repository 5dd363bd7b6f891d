package api

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"berth/engine"
	"berth/engine/events"
	"berth/engine/filter"

	"github.com/moby/moby/api/types"
)

// subscriber gives out places in the stream of events.
type subscriber interface {
	Subscribe(events.Options) *events.Subscription
}

// eventHandlers answer /events.
type eventHandlers struct{ bus subscriber }

func (e *eventHandlers) routes(rt *router) { rt.on("GET /events", e.follow) }

// follow streams events, a line of JSON each, until the client goes or ?until= is reached.
func (e *eventHandlers) follow(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	var o events.Options
	var err error
	now := time.Now()
	if o.Since, err = engine.ParseTime(query.Get("since"), now); err != nil {
		return err
	}
	if o.Until, err = engine.ParseTime(query.Get("until"), now); err != nil {
		return err
	}
	if !o.Since.IsZero() && !o.Until.IsZero() && o.Until.Before(o.Since) {
		return invalid("`since` time (%s) cannot be after `until` time (%s)", query.Get("since"), query.Get("until"))
	}
	filters, err := filter.Parse(query.Get("filters"))
	if err != nil {
		return err
	}
	o.Filters = filters
	sub := e.bus.Subscribe(o)
	defer sub.Close()

	media := eventMedia(r)
	w.Header().Set("Content-Type", media)
	w.WriteHeader(http.StatusOK)
	out := newFlushWriter(w)
	if err := out.http.Flush(); err != nil {
		return err
	}
	for {
		msg, err := sub.Next(r.Context())
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		line, err := eventOf(msg, versionOf(r))
		if err != nil {
			return err
		}
		text, err := marshal(line)
		if err != nil {
			return err
		}
		if media == types.MediaTypeJSONSequence {
			text = append([]byte{0x1e}, text...) // RFC 7464: each text follows a record separator
		}
		if _, err := out.Write(append(text, '\n')); err != nil {
			return err
		}
	}
}

// eventMedia is the first type in Accept, as the client orders them, that events can be had in.
func eventMedia(r *http.Request) string {
	if versionOf(r).before(52) {
		return types.MediaTypeJSON
	}
	for _, part := range strings.Split(strings.Join(r.Header.Values("Accept"), ","), ",") {
		switch media, _, _ := mime.ParseMediaType(part); media {
		case types.MediaTypeJSONLines, types.MediaTypeNDJSON, types.MediaTypeJSONSequence:
			return media
		}
	}
	return types.MediaTypeJSON
}
