package logs

import (
	"fmt"
	"strings"

	"berth/tui/list"
	"berth/tui/pager"
	"berth/tui/text"
	"berth/tui/theme"
)

// View is the Logs tab. It reads nothing itself: whoever owns it opens the
// stream and hands over what arrives.
type View struct {
	Sources []Source // whose log it is
	Stream  int      // number of the stream it accepts batches from
	Whole   bool     // the stream began at the oldest line, of the span if there is one
	Span    Span     // what part of the log it is
	Err     error    // why no more lines come, unless the log is simply at its end

	ended  map[int]bool // sources of which no more lines come
	pretty bool
	buf    *Buffer
	pager  *pager.Pager
	theme  theme.Theme
}

// Source is a container whose log is shown.
type Source struct{ ID, Name string }

// NewView is an empty view.
func NewView(th theme.Theme) *View {
	v := &View{theme: th, buf: NewBuffer(th), ended: map[int]bool{}}
	v.pager = pager.New(v.buf, true)
	return v
}

// Reset empties the view for another stream; what was switched stays so.
func (v *View) Reset(sources []Source, stream int, whole bool) {
	times := v.buf.times
	v.buf = NewBuffer(v.theme)
	v.buf.times, v.buf.pretty = times, v.pretty
	for _, s := range sources {
		v.buf.names = append(v.buf.names, s.Name)
	}
	v.pager.SetSource(v.buf)
	v.Sources, v.Stream, v.Whole, v.Err = sources, stream, whole, nil
	v.ended = map[int]bool{}
}

// End notes that no more lines of a source come, and why.
func (v *View) End(source int, err error) {
	v.ended[source] = true
	if err != nil {
		v.Err = err
	}
}

// Ended tells whether no more lines come at all.
func (v *View) Ended() bool { return len(v.ended) >= max(len(v.Sources), 1) }

// Rejoin tells whether a container's part of the log has ended, and from where
// it is to be read on; the view then takes it for being read again.
func (v *View) Rejoin(id string) (source int, from Mark, ok bool) {
	for i, s := range v.Sources {
		if s.ID == id && v.ended[i] {
			delete(v.ended, i)
			return i, v.buf.Mark(i), true
		}
	}
	return 0, Mark{}, false
}

// SetTheme changes the colours.
func (v *View) SetTheme(th theme.Theme) { v.theme, v.buf.theme = th, th }

// Append adds a batch of the stream. While the view does not follow, nothing
// old is forgotten for it; see Held.
func (v *View) Append(lines []Line) { v.buf.Append(lines, !v.pager.Follows()) }

// Held tells whether the stream must wait: the buffer is full, and the view is
// on lines that a new one would push out.
func (v *View) Held() bool { return !v.pager.Follows() && v.buf.Full() }

// Pager scrolls and searches the view.
func (v *View) Pager() *pager.Pager { return v.pager }

// ToggleTimes shows or hides the times.
func (v *View) ToggleTimes() { v.buf.times = !v.buf.times }

// Times tells whether times are shown.
func (v *View) Times() bool { return v.buf.times }

// TogglePretty lays lines out that are JSON, or leaves them as they are.
func (v *View) TogglePretty() (on bool) {
	v.pretty = !v.pretty
	v.buf.pretty = v.pretty
	return v.pretty
}

// Search looks for lines that a filter lets through.
func (v *View) Search(q list.Filter) { v.pager.Search(q) }

// Lines draws the view. empty is shown when there is no line.
func (v *View) Lines(width, height int, empty []string) []string {
	if v.buf.End() == v.buf.First() && v.buf.Dropped() == 0 {
		v.pager.SetSize(width, height)
		return text.Block(empty, width, height)
	}
	return v.pager.View(v.theme, width, height)
}

// Footer says where the view is: following or not, how many lines, what was dropped.
func (v *View) Footer() string {
	var parts []string
	if cur, all := v.pager.Hits(); v.pager.Query().Active() {
		s := fmt.Sprintf("hit %d/%d", cur, all)
		if v.pager.OnlyHits() {
			s = fmt.Sprintf("matches only %d/%d", cur, all)
		}
		parts = append(parts, v.theme.Warn.Render(s))
	}
	switch below := v.pager.Below(); {
	case v.pager.Follows() && !v.Ended():
		parts = append(parts, "follow "+v.theme.Good.Render("●"))
	case v.Held():
		parts = append(parts, v.theme.Warn.Render("‖ held, G goes on"))
	case !v.pager.Follows() && below > 0:
		parts = append(parts, v.theme.Warn.Render("▼ "+Thousands(below)+" below"))
	}
	switch {
	case v.Err != nil:
		parts = append(parts, v.theme.Bad.Render("broke off"))
	case v.Ended():
		parts = append(parts, v.theme.Dim.Render("end of log"))
	}
	if s := v.Span.String(); s != "" {
		parts = append(parts, v.theme.Info.Render("since "+text.Clean(s)))
	}
	if d := v.buf.Dropped(); d > 0 {
		parts = append(parts, v.theme.Bad.Render(Thousands(d)+" dropped"))
	}
	n := v.buf.End() - v.buf.First()
	unit := " lines"
	if n == 1 {
		unit = " line"
	}
	if !v.Whole && v.buf.Dropped() == 0 && n >= Tail {
		unit += ", g for all"
	}
	return strings.Join(append(parts, Thousands(n)+unit), " ")
}

// Tail is how many lines are asked for at first.
const Tail = 5000

// Thousands writes a count with commas.
func Thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
