// Package jsonlog writes container output as docker's json-file driver does, byte for
// byte: one JSON object a line,
//
//	{"log":"text\n","stream":"stdout","time":"2006-01-02T15:04:05.999999999Z"}
//
// A line of output longer than LineSize is split into several objects, of which only
// the last ends in \n; bytes that are no UTF-8 become U+FFFD. The encoding is made by
// hand, for it runs once per line of output in a process that must stay small.
package jsonlog

import (
	"sort"
	"time"
	"unicode/utf8"
)

// LineSize is the most bytes of output in one object.
const LineSize = 16 << 10

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string, escaped as docker does: the HTML characters
// and U+2028/9 too.
func AppendString[T string | []byte](dst []byte, s T) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		b := s[i]
		if b < utf8.RuneSelf {
			if b >= 0x20 && b != '"' && b != '\\' && b != '<' && b != '>' && b != '&' {
				i++
				continue
			}
			dst = append(dst, s[start:i]...)
			switch b {
			case '"', '\\':
				dst = append(dst, '\\', b)
			case '\n':
				dst = append(dst, '\\', 'n')
			case '\r':
				dst = append(dst, '\\', 'r')
			default:
				dst = append(dst, '\\', 'u', '0', '0', hexDigits[b>>4], hexDigits[b&0xf])
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(append(dst, s[start:i]...), `\ufffd`...)
		case r == '\u2028' || r == '\u2029':
			dst = append(append(dst, s[start:i]...), `\u202`...)
			dst = append(dst, hexDigits[r&0xf])
		default:
			i += size
			continue
		}
		i += size
		start = i
	}
	return append(append(dst, s[start:]...), '"')
}

// clock formats times. The part that is the same for a whole second is kept.
type clock struct {
	second int64
	prefix []byte
}

// append writes t as RFC 3339 with nanoseconds, trailing zeros left out, in UTC.
func (c *clock) append(dst []byte, t time.Time) []byte {
	if s := t.Unix(); s != c.second || c.prefix == nil {
		c.second = s
		c.prefix = t.UTC().AppendFormat(c.prefix[:0], "2006-01-02T15:04:05")
	}
	dst = append(dst, c.prefix...)
	if ns := t.Nanosecond(); ns != 0 {
		var digits [10]byte
		digits[0] = '.'
		for i := 9; i > 0; i-- {
			digits[i] = byte('0' + ns%10)
			ns /= 10
		}
		end := 10
		for digits[end-1] == '0' {
			end--
		}
		dst = append(dst, digits[:end]...)
	}
	return append(dst, 'Z')
}

// encodeAttrs returns the "attrs" member with a comma after it, or nothing. The keys
// are sorted, as docker's are.
func encodeAttrs(attrs map[string]string) []byte {
	if len(attrs) == 0 {
		return nil
	}
	keys := make([]string, 0, len(attrs))
	for k := range attrs {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	b := []byte(`"attrs":{`)
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendString(b, k)
		b = append(b, ':')
		b = AppendString(b, attrs[k])
	}
	return append(b, '}', ',')
}
