package list

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func same(s string) string { return s }

func names(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("web-%02d", i)
	}
	return out
}

func filled(n int) *List[string] {
	l := New(same, same)
	l.Set(names(n))
	return l
}

func current(t *testing.T, l *List[string], want string) {
	t.Helper()
	if got, _ := l.Current(); got != want {
		t.Errorf("the cursor is on %q, want %q", got, want)
	}
}

func TestTheCursorStaysWithItsRow(t *testing.T) {
	l := filled(5)
	l.Move(2)
	current(t, l, "web-02")
	l.Set(append([]string{"aaa"}, names(5)...))
	current(t, l, "web-02")
	l.Set([]string{"web-00", "web-01", "web-03"})
	current(t, l, "web-03")
	l.Set(nil)
	if _, ok := l.Current(); ok {
		t.Error("an empty list has a current row")
	}
	l.Move(-3)
	l.Mark()
	l.Range()
}

func TestFilters(t *testing.T) {
	l := New(same, same)
	l.Set([]string{"web", "db", "Webhook", "job[1]"})
	for in, want := range map[string]string{
		"":      "web db Webhook job[1]",
		"web":   "web Webhook",
		"^web$": "web",
		"!web":  "db job[1]",
		"~wok":  "Webhook",
		"[1":    "job[1]",
		"none":  "",
	} {
		l.SetFilter(NewFilter(in))
		rows, _ := l.Visible(10)
		if got := strings.Join(rows, " "); got != want {
			t.Errorf("%q shows %q, want %q", in, got, want)
		}
		if l.Filter().String() != in || l.Total() != 4 || l.Len() != len(rows) {
			t.Errorf("%q: text %q, %d of %d", in, l.Filter(), l.Len(), l.Total())
		}
	}
}

func TestMarksAndRanges(t *testing.T) {
	l := filled(6)
	if got := l.Chosen(); !slices.Equal(got, []string{"web-00"}) {
		t.Errorf("without marks: %v", got)
	}
	l.Mark()
	current(t, l, "web-01")
	l.Move(2)
	l.Range()
	l.Move(1)
	if got := l.Chosen(); !slices.Equal(got, []string{"web-00", "web-03", "web-04"}) {
		t.Errorf("mark and range: %v", got)
	}
	l.Mark()
	if l.Marks() != 3 {
		t.Errorf("%d marks", l.Marks())
	}
	l.Set(names(4))
	if got := l.Chosen(); !slices.Equal(got, []string{"web-00", "web-03"}) {
		t.Errorf("after rows went: %v", got)
	}
	if !l.Clear() || l.Clear() {
		t.Error("clear")
	}
}

func TestScrolling(t *testing.T) {
	l := filled(20)
	l.Visible(5)
	l.Page(1)
	current(t, l, "web-04")
	l.Move(1)
	rows, cur := l.Visible(5)
	if rows[0] != "web-01" || cur != 4 {
		t.Errorf("top %q, cursor row %d", rows[0], cur)
	}
	l.Move(1 << 20)
	rows, cur = l.Visible(5)
	if rows[4] != "web-19" || cur != 4 {
		t.Errorf("end: %v, %d", rows, cur)
	}
	if rows, _ = l.Visible(50); len(rows) != 20 {
		t.Errorf("%d rows in a tall list", len(rows))
	}
	if rows, _ = l.Visible(0); rows != nil {
		t.Errorf("rows in no height: %v", rows)
	}
	if !l.Select("web-03") || l.Select("nobody") {
		t.Error("select")
	}
	current(t, l, "web-03")
}
