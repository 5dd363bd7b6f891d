package term

import (
	"fmt"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
)

// The halves of a split pane break their text anew at each width, and one who looks
// back goes on looking at the same text, finds it and copies it.
func TestASplitPaneBreaksItsTextAnew(t *testing.T) {
	u, left := quiet(t, 121, 8)
	right := newSession("r", "c1", "web", 2, Shell, 60, 8, 100)
	right.state = running
	u.m.sessions = append(u.m.sessions, right)
	for i := range 16 {
		left.output([]byte(fmt.Sprintf("entry %d %send\r\n", i, strings.Repeat("of a long line ", i%9))))
	}
	u.m.split["c1"] = pair{left, right}
	u.m.fit()
	u.leader("[")
	u.types("/entry 7\n")
	for _, width := range []int{121, 61, 200, 31, 121} {
		u.m.SetSize(width, 8)
		u.sees("entry 7")
		if w, _ := left.size(); w != (width-1)/2 {
			t.Fatalf("the left half of %d is %d wide", width, w)
		}
		if got := left.scr.Text(left.view.cursor, left.view.cursor); !strings.HasPrefix(got, "entry 7 ") {
			t.Errorf("%d wide: the cursor is on %q", width, got)
		}
	}
	delete(u.m.split, "c1") // the whole pane
	u.m.SetSize(121, 8)
	u.types("v")
	u.m.SetSize(400, 8)
	cmd := u.m.Update(tea.KeyPressMsg{Code: 'y', Text: "y"})
	if want := "entry 7 " + strings.Repeat("of a long line ", 7%9) + "end"; cmd == nil || strings.TrimSpace(cmd().(CopyMsg).Text) != want {
		t.Errorf("copied %+v, want %q", cmd(), want)
	}
}

// What is looked for may be broken over lines; the one is found in which it begins.
func TestASearchGoesOverTheBreaks(t *testing.T) {
	u, s := quiet(t, 10, 6)
	s.output([]byte("one\r\n0123456needle789\r\nthree\r\n"))
	u.leader("[")
	u.types("/needle\n")
	if got := s.scr.Text(s.view.cursor, s.view.cursor); s.view.failed || got != "0123456nee" {
		t.Errorf("found %q, failed %v", got, s.view.failed)
	}
	u.types("/eedle7\nn")
	if !s.view.failed {
		t.Errorf("found twice: %q", s.scr.Text(s.view.cursor, s.view.cursor))
	}
}
