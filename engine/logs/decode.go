package logs

import (
	"bytes"
	"encoding/json"
	"time"
)

// decoder decodes lines and keeps what the next one can use: the buffer of the
// text, and the part of the time that stays the same for a second.
type decoder struct {
	text []byte
	sec  []byte // "2006-01-02T15:04:05"
	base time.Time
}

var (
	keyLog    = []byte(`{"log":"`)
	keyStream = []byte(`,"stream":"`)
	keyAttrs  = []byte(`,"attrs":`)
	keyTime   = []byte(`,"time":"`)
)

// decode takes the writer's own shape apart by hand, a third of the time of
// encoding/json; everything else goes there. The entry's Line is valid until the next call.
func (d *decoder) decode(line []byte) (Entry, bool) {
	if e, ok := d.fast(line); ok {
		return e, true
	}
	var v struct {
		Log    string            `json:"log"`
		Stream string            `json:"stream"`
		Time   time.Time         `json:"time"`
		Attrs  map[string]string `json:"attrs"`
	}
	if json.Unmarshal(line, &v) != nil || v.Stream == "" {
		return Entry{}, false
	}
	return Entry{Time: v.Time, Stream: v.Stream, Line: []byte(v.Log), Attrs: v.Attrs}, true
}

// fast decodes the shape that the shim writes: log, stream, attrs if any, time.
func (d *decoder) fast(line []byte) (e Entry, ok bool) {
	// Each step takes what it knows off the front; whatever is different ends it.
	rest, ok := bytes.CutPrefix(line, keyLog)
	if !ok {
		return e, false
	}
	if rest, ok = d.unquote(rest); !ok {
		return e, false
	}
	if rest, ok = bytes.CutPrefix(rest, keyStream); !ok {
		return e, false
	}
	switch {
	case bytes.HasPrefix(rest, []byte(`stdout"`)):
		e.Stream = "stdout"
	case bytes.HasPrefix(rest, []byte(`stderr"`)):
		e.Stream = "stderr"
	default:
		return e, false
	}
	rest = rest[len(`stdout"`):]
	if after, ok := bytes.CutPrefix(rest, keyAttrs); ok {
		dec := json.NewDecoder(bytes.NewReader(after))
		if dec.Decode(&e.Attrs) != nil {
			return e, false
		}
		rest = after[dec.InputOffset():]
	}
	stamp, ok := bytes.CutPrefix(rest, keyTime)
	if !ok {
		return e, false
	}
	if stamp, ok = bytes.CutSuffix(stamp, []byte(`"}`)); !ok {
		return e, false
	}
	e.Time, ok = d.time(stamp)
	e.Line = d.text
	return e, ok
}

// unquote decodes a JSON string up to its closing quote into d.text.
func (d *decoder) unquote(s []byte) (rest []byte, ok bool) {
	d.text = d.text[:0]
	for {
		// Most text has no escapes: it is copied in pieces.
		i := bytes.IndexAny(s, `"\`)
		if i < 0 {
			return nil, false
		}
		d.text = append(d.text, s[:i]...)
		if s[i] == '"' {
			return s[i+1:], true
		}
		if i+1 >= len(s) {
			return nil, false
		}
		switch c := s[i+1]; c {
		case 'n':
			d.text = append(d.text, '\n')
		case 'r':
			d.text = append(d.text, '\r')
		case 't':
			d.text = append(d.text, '\t')
		case '"', '\\', '/':
			d.text = append(d.text, c)
		case 'u':
			if i+6 > len(s) {
				return nil, false
			}
			r, ok := hex4(s[i+2 : i+6])
			if !ok || r >= 0xd800 && r < 0xe000 {
				return nil, false // surrogates: encoding/json's business
			}
			d.text = append(d.text, string(r)...)
			i += 4
		default:
			return nil, false
		}
		s = s[i+2:]
	}
}

// hex4 reads the four digits of \u.
func hex4(s []byte) (r rune, ok bool) {
	for _, c := range s {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// time parses "2006-01-02T15:04:05.999999999Z".
func (d *decoder) time(s []byte) (time.Time, bool) {
	const second = len("2006-01-02T15:04:05")
	if len(s) <= second || s[len(s)-1] != 'Z' {
		t, err := time.Parse(time.RFC3339Nano, string(s))
		return t, err == nil
	}
	// Thousands of lines share their second: it is parsed once.
	if !bytes.Equal(s[:second], d.sec) {
		t, err := time.Parse("2006-01-02T15:04:05", string(s[:second]))
		if err != nil {
			return t, false
		}
		d.sec, d.base = append(d.sec[:0], s[:second]...), t
	}
	frac := s[second : len(s)-1]
	if len(frac) == 0 {
		return d.base, true
	}
	if frac[0] != '.' || len(frac) > 10 {
		return time.Time{}, false
	}
	// Nine digits; those that are missing are zeros.
	var ns time.Duration
	for i := 1; i < 10; i++ {
		ns *= 10
		if i < len(frac) {
			if frac[i] < '0' || frac[i] > '9' {
				return time.Time{}, false
			}
			ns += time.Duration(frac[i] - '0')
		}
	}
	return d.base.Add(ns), true
}
