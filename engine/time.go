package engine

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
)

// ParseTime reads a moment as the Engine API gives it in since and until: RFC 3339 (zone and time of day optional,
// local then), seconds since 1970 with an optional fraction, or a duration before now. "" and "0" are the zero time.
// Anything else is of kind InvalidArgument.
func ParseTime(text string, now time.Time) (time.Time, error) {
	if text == "" || text == "0" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02T15", "2006-01-02Z07:00", "2006-01-02"} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	whole, fraction, _ := strings.Cut(text, ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || strings.Trim(fraction, "0123456789") != "" {
		return time.Time{}, fmt.Errorf("%q is not a time: %w", text, errdefs.ErrInvalidArgument)
	}
	nanos, err := strconv.ParseUint((fraction + "000000000")[:9], 10, 32)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is not a time: %w", text, errdefs.ErrInvalidArgument)
	}
	return time.Unix(seconds, int64(nanos)), nil
}
