package list

import (
	"regexp"
	"strings"
	"unicode/utf8"

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

// Inverse tells whether the filter shows what does not match.
func (f Filter) Inverse() bool { return f.inverse && f.re != nil }

// Spots are the byte ranges of s that match, ascending; none of an inverse filter.
func (f Filter) Spots(s string) [][]int {
	switch {
	case f.fuzzy != "":
		var out [][]int
		for _, hit := range fuzzy.Find(f.fuzzy, []string{s}) {
			for _, at := range hit.MatchedIndexes {
				_, n := utf8.DecodeRuneInString(s[at:])
				out = append(out, []int{at, at + n})
			}
		}
		return out
	case f.re == nil || f.inverse:
		return nil
	}
	return f.re.FindAllStringIndex(s, -1)
}

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
