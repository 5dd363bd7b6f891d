package feed

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"berth/tui/logs"
)

// second is a time of the logs of these tests.
func second(n int) string { return fmt.Sprintf("2026-11-23T09:14:%02d.000000000Z", n) }

// twoLogs serves a container with even seconds, and one with odd ones, of which
// the last has a line that comes while it is followed.
func twoLogs(t *testing.T) map[string]http.HandlerFunc {
	tty := answer(map[string]any{"Config": map[string]any{"Tty": true}})
	serve := func(name string, first, last int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			follow := r.URL.Query().Get("follow") == "1"
			if follow && r.URL.Query().Get("since") == "" {
				t.Errorf("%s: all of it is asked for again", name)
			}
			for n := first; n < last; n += 2 {
				if !follow || n+2 >= last { // "since" is the time of the last line: that one comes again
					fmt.Fprintf(w, "%s %s %d\n", second(n), name, n)
				}
			}
			if follow {
				fmt.Fprintf(w, "%s %s late\n", second(last+2), name)
			}
		}
	}
	return map[string]http.HandlerFunc{
		"/containers/a/json": tty, "/containers/b/json": tty,
		"/containers/a/logs": serve("a", 0, 20), "/containers/b/logs": serve("b", 1, 20),
	}
}

func TestSeveralLogsAreOneByTime(t *testing.T) {
	f, in := newFeed(t, twoLogs(t))
	f.OpenLogs(t.Context(), LogRequest{Stream: 1, Sources: []logs.Source{{ID: "a"}, {ID: "b"}}, Tail: "100", Gate: &Gate{}})()
	ends := map[int]bool{}
	msgs := in.wait(t, "both ends", func(m tea.Msg) bool {
		if e, ok := m.(LogEnd); ok && e.Err == nil {
			ends[e.Source] = true
		}
		return len(ends) == 2
	})
	var got []string
	for _, m := range msgs {
		if b, ok := m.(LogLines); ok {
			for _, l := range b.Lines {
				if want := string('a' + rune(l.Source)); !strings.HasPrefix(l.Text, want) {
					t.Errorf("%q is said to be of %s", l.Text, want)
				}
				got = append(got, l.Text)
			}
		}
	}
	if len(got) != 22 {
		t.Fatalf("%d lines: %q", len(got), got)
	}
	for n, l := range got[:20] {
		if !strings.HasSuffix(l, fmt.Sprintf(" %d", n)) {
			t.Fatalf("line %d is %q", n, l)
		}
	}
}

func TestLogsAreCopiedInOrder(t *testing.T) {
	f, _ := newFeed(t, twoLogs(t))
	n := 0
	r := LogRequest{Sources: []logs.Source{{ID: "a"}, {ID: "b"}}}
	if err := f.CopyLogs(t.Context(), r, func(l logs.Line) error {
		if l.Time != second(n) {
			t.Errorf("line %d has time %s", n, l.Time)
		}
		n++
		return nil
	}); err != nil || n != 20 {
		t.Errorf("%d lines, %v", n, err)
	}
	full := errors.New("the disk is full")
	if err := f.CopyLogs(t.Context(), r, func(logs.Line) error { return full }); !errors.Is(err, full) {
		t.Errorf("%v", err)
	}
	r.Sources[1].ID = "nobody"
	if err := f.CopyLogs(t.Context(), r, func(logs.Line) error { return nil }); err == nil {
		t.Error("no error for a container that is not there")
	}
}

// A container that runs again goes on where its log had ended.
func TestALogGoesOn(t *testing.T) {
	f, in := newFeed(t, twoLogs(t))
	r := LogRequest{Stream: 7, Sources: []logs.Source{{ID: "a"}, {ID: "b"}}, Gate: &Gate{}}
	f.RejoinLog(t.Context(), r, 1, logs.Mark{Time: second(19), Lines: 1})()
	in.wait(t, "its next line", func(m tea.Msg) bool {
		b, ok := m.(LogLines)
		return ok && len(b.Lines) == 1 && b.Lines[0].Text == "b late" && b.Lines[0].Source == 1
	})
}
