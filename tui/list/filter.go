package list

import (
	"regexp"
	"strings"

	"github.com/sahilm/fuzzy"
)

// Filter decides which rows are shown. Its text is a regular expression without
// regard to case; "!" in front shows what does not match, "~" in front matches
// the letters in order with anything between. An expression that does not
// compile (yet: someone is typing) is taken literally.
type Filter struct {
	text    string
	re      *regexp.Regexp
	inverse bool
	fuzzy   string
}

// NewFilter reads the text of a filter.
func NewFilter(s string) Filter {
	f := Filter{text: s}
	switch {
	case strings.HasPrefix(s, "~"):
		f.fuzzy = s[1:]
	case strings.HasPrefix(s, "!"):
		f.inverse = true
		f.re = Regexp(s[1:])
	default:
		f.re = Regexp(s)
	}
	return f
}

// Regexp compiles a search without regard to case, literally if it is no valid
// expression; nil for the empty one.
func Regexp(s string) *regexp.Regexp {
	if s == "" {
		return nil
	}
	re, err := regexp.Compile("(?i)" + s)
	if err != nil {
		re = regexp.MustCompile("(?i)" + regexp.QuoteMeta(s))
	}
	return re
}

// String is the text that the filter was made from.
func (f Filter) String() string { return f.text }

// Active tells whether the filter hides anything.
func (f Filter) Active() bool { return f.re != nil || f.fuzzy != "" }

// Match tells whether a row with this text is shown.
func (f Filter) Match(s string) bool {
	switch {
	case f.fuzzy != "":
		return len(fuzzy.Find(f.fuzzy, []string{s})) > 0
	case f.re != nil:
		return f.re.MatchString(s) != f.inverse
	}
	return true
}
