package engine

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"
)

// Filters narrows a list or a prune: for every key, one of its values must match (for "label" all of them), and a key
// that is absent matches everything. Which keys there are, and what their values mean, is each noun's own.
type Filters map[string][]string

// Allow refuses every key but the given ones, with kind InvalidArgument.
func (f Filters) Allow(keys ...string) error {
	for key := range f {
		if !slices.Contains(keys, key) {
			return fmt.Errorf("invalid filter '%s': %w", key, errdefs.ErrInvalidArgument)
		}
	}
	return nil
}

// Exact tells whether value is one of key's values, or key is absent.
func (f Filters) Exact(key, value string) bool {
	values, ok := f[key]
	return !ok || slices.Contains(values, value)
}

// Match tells whether one of key's values is a prefix of value or, as a regular expression, is found in it; or key is
// absent. This is how docker matches names and IDs.
func (f Filters) Match(key, value string) bool {
	values, ok := f[key]
	return !ok || slices.ContainsFunc(values, func(pattern string) bool {
		if strings.HasPrefix(value, pattern) {
			return true
		}
		found, err := regexp.MatchString(pattern, value)
		return err == nil && found
	})
}

// Labels tells whether labels has every "name" or "name=value" of key ("label"; of "label!", none).
func (f Filters) Labels(labels map[string]string) bool {
	has := func(want string) bool {
		name, value, exact := strings.Cut(want, "=")
		got, ok := labels[name]
		return ok && (!exact || got == value)
	}
	return !slices.ContainsFunc(f["label"], func(w string) bool { return !has(w) }) && !slices.ContainsFunc(f["label!"], has)
}

// Bool reads a yes-or-no filter ("dangling"), absent if it is not given. Kind InvalidArgument for anything else.
func (f Filters) Bool(key string, absent bool) (bool, error) {
	values, ok := f[key]
	if !ok {
		return absent, nil
	}
	answer := absent
	for i, v := range values {
		b, err := strconv.ParseBool(v)
		if err != nil || i > 0 && b != answer {
			return false, fmt.Errorf("invalid filter '%s=%s': %w", key, values, errdefs.ErrInvalidArgument)
		}
		answer = b
	}
	return answer, nil
}

// Until reads the "until" filter: a moment (RFC 3339, a date, seconds since 1970 with a fraction) or a duration before
// now ("24h"). Zero if it is not given; kind InvalidArgument if it is none of these or given twice.
func (f Filters) Until(now time.Time) (time.Time, error) {
	values := f["until"]
	if len(values) == 0 {
		return time.Time{}, nil
	}
	if len(values) > 1 {
		return time.Time{}, fmt.Errorf("more than one until filter specified: %w", errdefs.ErrInvalidArgument)
	}
	return ParseTime(values[0], now)
}

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
	if err != nil || len(fraction) > 9 {
		return time.Time{}, fmt.Errorf("%q is not a time: %w", text, errdefs.ErrInvalidArgument)
	}
	nanos, err := strconv.ParseUint(fraction+strings.Repeat("0", 9-len(fraction)), 10, 32)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is not a time: %w", text, errdefs.ErrInvalidArgument)
	}
	return time.Unix(seconds, int64(nanos)), nil
}
