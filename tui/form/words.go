package form

import (
	"errors"
	"strings"
)

// Words splits a line into words as a shell does: blanks separate, single
// quotes keep everything, double quotes and backslashes keep blanks. Variables
// and patterns mean nothing.
func Words(s string) ([]string, error) {
	var (
		out   []string
		word  strings.Builder
		began bool
		quote rune
		esc   bool
	)
	for _, r := range s {
		switch {
		case esc:
			word.WriteRune(r)
			esc = false
		case r == '\\' && quote != '\'':
			esc, began = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, began = r, true
		case r == ' ' || r == '\t':
			if began {
				out = append(out, word.String())
				word.Reset()
				began = false
			}
		default:
			word.WriteRune(r)
			began = true
		}
	}
	if quote != 0 {
		return out, errors.New("a quote is not closed")
	}
	if esc {
		return out, errors.New("a backslash at the end")
	}
	if began {
		out = append(out, word.String())
	}
	return out, nil
}

// quote makes one shell word of s.
func quote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-./:=@,+%", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
