package term

import (
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"berth/tui/keymap"
)

// The leader works while looking back, and while typing what to search there:
// what leaves the pane from anywhere is leader, q.
func TestTheLeaderLeavesALookBack(t *testing.T) {
	for _, before := range []string{"", "/", "/q"} {
		u, s := quiet(t, 60, 6)
		u.leader("[")
		u.types(before)
		u.ctrl(']')
		u.sees("q leave")
		cmd := u.m.Update(tea.KeyPressMsg{Code: 'q', Text: "q"})
		if cmd == nil {
			t.Fatalf("after %q: leader q did nothing", before)
		}
		if _, ok := cmd().(LeaveMsg); !ok || s.view == nil {
			t.Errorf("after %q: leader q does not leave, or forgets where one was", before)
		}
	}
}

func TestInterruptEndsALookBack(t *testing.T) {
	u, s := quiet(t, 60, 6)
	u.leader("[")
	u.types("/x")
	u.ctrl('c')
	u.sees("scroll 6/6")
	u.ctrl('c')
	if s.view != nil {
		t.Error("still looking back")
	}
}

func TestTheKeysOfALookBackAreTheUsers(t *testing.T) {
	u, s := quiet(t, 80, 6)
	s.output([]byte("first\r\nsecond\r\n"))
	keys := keymap.Default()
	for i, b := range keys {
		if b.Scope != keymap.Scrollback {
			continue
		}
		switch b.Action {
		case keymap.Mark:
			keys[i].Keys = []string{"f5", "M"}
		case keymap.Up:
			keys[i].Keys = []string{"w"}
		case keymap.Filter:
			keys[i].Keys = nil
		}
	}
	u.m.scrollKeys = newScrollBindings(keys)
	u.leader("[")
	u.sees("j/w move  f5 mark  y copy  esc back")
	u.types("wwwwwMj/v")
	if s.view.typing || s.view.mark != s.view.cursor-1 {
		t.Errorf("%+v", *s.view)
	}
	cmd := u.m.Update(tea.KeyPressMsg{Code: 'y', Text: "y"})
	if c, ok := cmd().(CopyMsg); !ok || strings.TrimSpace(c.Text) != "first\nsecond" {
		t.Errorf("copied %+v", cmd())
	}
}

func TestAFailedSearchIsForgottenByTheNextKey(t *testing.T) {
	u, _ := quiet(t, 60, 6)
	u.leader("[")
	u.types("/nothing\n")
	u.sees("no line has nothing")
	u.types("k")
	u.sees("scroll 5/6")
}
