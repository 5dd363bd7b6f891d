package image

import "strings"

// variables are an environment ("NAME=value") that words of an instruction may
// name: $NAME, ${NAME}, ${NAME:-if unset}, ${NAME:+if set}.
type variables []string

func (v variables) get(name string) string {
	for _, e := range v {
		if k, value, _ := strings.Cut(e, "="); k == name {
			return value
		}
	}
	return ""
}

// one reads an argument that is one word.
func (v variables) one(word, rest string) (string, error) {
	words, err := v.split(rest)
	if err != nil {
		return "", err
	}
	if len(words) != 1 {
		return "", wrong("%s requires exactly one argument", word)
	}
	return words[0], nil
}

// pairs reads key=value words, or the old form of one key, a space and its
// value.
func (v variables) pairs(word, rest string, set func(key, value string)) error {
	words, err := v.split(rest)
	if err != nil {
		return err
	}
	if first, value, ok := strings.Cut(rest, " "); len(words) > 0 && !strings.Contains(first, "=") {
		// The key, and the rest of the line.
		if !ok {
			return wrong("%s must have two arguments", word)
		}
		value, err := v.unquote(strings.TrimSpace(value))
		set(first, value)
		return err
	}
	for _, w := range words {
		key, value, ok := strings.Cut(w, "=")
		switch {
		case !ok:
			return wrong("Syntax error - can't find = in %q. Must be of the form: name=value", w)
		case key == "":
			return wrong("%s names can not be blank", word)
		}
		set(key, value)
	}
	return nil
}

// split splits at blanks as a Dockerfile does: quotes and backslashes keep
// blanks together and are taken away.
func (v variables) split(s string) ([]string, error) { return v.scan(s, true) }

// unquote is split for a text that is one word, blanks and all.
func (v variables) unquote(s string) (string, error) {
	words, err := v.scan(s, false)
	return strings.Join(words, ""), err
}

func (v variables) scan(s string, blanks bool) ([]string, error) {
	var words []string
	var word strings.Builder
	quote, inWord := byte(0), false
	for i := 0; i < len(s); i++ {
		ch := s[i]
		switch {
		case ch == '\\' && quote != '\'' && i+1 < len(s):
			// In double quotes a backslash only means something before these.
			i++
			if quote == '"' && s[i] != '"' && s[i] != '\\' && s[i] != '$' {
				word.WriteByte('\\')
			}
			word.WriteByte(s[i])
			inWord = true
		case ch == '$' && quote != '\'':
			value, n, err := v.expand(s[i:])
			if err != nil {
				return nil, err
			}
			word.WriteString(value)
			inWord = true
			i += n - 1
		case quote != 0 && ch == quote:
			quote = 0
		case quote == 0 && (ch == '"' || ch == '\''):
			quote, inWord = ch, true
		case quote == 0 && blanks && (ch == ' ' || ch == '\t'):
			if inWord {
				words = append(words, word.String())
			}
			word.Reset()
			inWord = false
		default:
			word.WriteByte(ch)
			inWord = true
		}
	}
	if quote != 0 {
		return nil, wrong("unexpected end of statement while looking for matching quote")
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

// expand reads the variable that s begins with, and tells how long it is.
func (v variables) expand(s string) (value string, n int, err error) {
	if !strings.HasPrefix(s, "${") {
		n = 1
		for n < len(s) && isNameByte(s[n]) {
			n++
		}
		if n == 1 {
			return "$", 1, nil
		}
		return v.get(s[1:n]), n, nil
	}
	end := strings.IndexByte(s, '}')
	if end < 0 {
		return "", 0, wrong("syntax error: missing '}'")
	}
	name, rest := s[2:end], ""
	for i := range name {
		if !isNameByte(name[i]) {
			name, rest = name[:i], name[i:]
			break
		}
	}
	value = v.get(name)
	switch {
	case name == "":
		return "", 0, wrong("syntax error: bad substitution")
	case rest == "":
		return value, end + 1, nil
	case strings.HasPrefix(rest, ":-"):
		if value == "" {
			value = rest[2:]
		}
		return value, end + 1, nil
	case strings.HasPrefix(rest, ":+"):
		if value != "" {
			value = rest[2:]
		}
		return value, end + 1, nil
	}
	return "", 0, wrong("unsupported modifier (%s) in substitution", rest[:min(2, len(rest))])
}

func isNameByte(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
