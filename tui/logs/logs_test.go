package logs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"berth/tui/text"
	"berth/tui/theme"
)

func frame(kind byte, body string) []byte {
	head := make([]byte, frameHeader)
	head[0] = kind
	binary.BigEndian.PutUint32(head[4:], uint32(len(body)))
	return append(head, body...)
}

func read(t *testing.T, b []byte, mux bool) ([]Line, error) {
	t.Helper()
	var got []Line
	err := Read(bytes.NewReader(b), mux, func(l Line) { got = append(got, l) })
	return got, err
}

const at = "2026-11-23T09:14:02.123456789Z"

func TestFramesBecomeLines(t *testing.T) {
	b := append(frame(1, at+" one\n"+at+" tw"), frame(2, at+" bad\n")...)
	b = append(b, frame(1, "o\r\n\nlast")...)
	got, err := read(t, b, true)
	if err != nil {
		t.Fatal(err)
	}
	want := []Line{{at, "one", false, 0}, {at, "bad", true, 0}, {at, "two\r", false, 0}, {"", "", false, 0}, {"", "last", false, 0}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestARawStreamBecomesLines(t *testing.T) {
	long := strings.Repeat("x", 3*maxLine)
	got, err := read(t, []byte("a\n"+long+"\nb"), false)
	if err != nil || len(got) < 4 || got[0].Text != "a" || got[len(got)-1].Text != "b" {
		t.Fatalf("%d lines, %v", len(got), err)
	}
	n := 0
	for _, l := range got[1 : len(got)-1] {
		n += len(l.Text)
	}
	if n != len(long) {
		t.Errorf("%d bytes of the long line, want %d", n, len(long))
	}
}

func TestErrorsOfTheStream(t *testing.T) {
	if _, err := read(t, frame(3, "log driver gone\n"), true); err == nil || !strings.Contains(err.Error(), "log driver gone") {
		t.Errorf("error frame: %v", err)
	}
	if _, err := read(t, []byte{1, 0, 0}, true); err == nil {
		t.Error("a cut header is no error")
	}
}

func TestTheBufferIsBoundedAndCounts(t *testing.T) {
	b := NewBuffer(theme.Theme{})
	b.maxSize = 1000
	for i := range 500 {
		b.Append([]Line{{Text: fmt.Sprintf("line %05d", i)}}, false)
	}
	if b.End() != 500 || b.First() != 400 || b.Dropped() != 400 {
		t.Fatalf("lines %d to %d, dropped %d", b.First(), b.End(), b.Dropped())
	}
	if got := b.Line(b.First()); got != "line 00400" {
		t.Errorf("oldest is %q", got)
	}
	for range 5000 {
		b.Append([]Line{{Text: "0123456789"}}, false)
	}
	if len(b.lines) > 4096 {
		t.Errorf("%d slots are held for 100 lines", len(b.lines))
	}
}

// Someone who reads an old line keeps it: the stream has to wait.
func TestAReaderIsNotPushedOff(t *testing.T) {
	v := NewView(theme.Theme{})
	v.buf.maxSize = 1000
	for i := range 300 {
		v.Append([]Line{{Text: fmt.Sprintf("line %05d", i)}})
	}
	v.Pager().SetSize(20, 3)
	v.Pager().Scroll(-2)
	first := v.Lines(20, 3, nil)[0]
	if !v.Held() || !strings.Contains(v.Footer(), "held") {
		t.Errorf("not held: %s", v.Footer())
	}
	for range 50 { // what was on its way
		v.Append([]Line{{Text: "late"}})
	}
	if got := v.Lines(20, 3, nil)[0]; got != first {
		t.Errorf("the view moved from %q to %q", first, got)
	}
	v.Pager().End()
	v.Append([]Line{{Text: "on"}})
	if v.Held() || v.buf.bytes > 1000 {
		t.Errorf("held %v, %d bytes", v.Held(), v.buf.bytes)
	}
}

func TestLinesAreSafeAndMayShowTheirTime(t *testing.T) {
	v := NewView(theme.ANSI16())
	v.Append([]Line{{at, "evil\x1b[2J\x1b]0;x\a", false, 0}, {at, "oops", true, 0}})
	show := func() []string {
		rows := v.Lines(40, 2, nil)
		for _, r := range rows {
			if text.Width(r) != 40 {
				t.Errorf("%q is %d wide", r, text.Width(r))
			}
		}
		return rows
	}
	if rows := show(); strings.TrimSpace(text.Strip(rows[0])) != "evil" || strings.Contains(rows[0], "2J") || !strings.Contains(rows[1], "\x1b[33m") {
		t.Errorf("%q", rows)
	}
	v.ToggleTimes()
	if rows := show(); !strings.HasPrefix(text.Strip(rows[0]), "11-23 09:14:02.123 evil") {
		t.Errorf("%q", rows)
	}
	if f := text.Strip(v.Footer()); f != "follow ● 2 lines" {
		t.Errorf("footer %q", f)
	}
	v.End(0, nil)
	if f := text.Strip(v.Footer()); f != "end of log 2 lines" {
		t.Errorf("footer %q", f)
	}
	v.Err = errors.New("gone")
	if f := text.Strip(v.Footer()); f != "broke off 2 lines" {
		t.Errorf("footer %q", f)
	}
	v.Reset([]Source{{"other", "other"}}, 2, true)
	if rows := v.Lines(10, 1, []string{"nothing"}); rows[0] != "nothing   " {
		t.Errorf("%q", rows)
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := Thousands(n); got != want {
			t.Errorf("%d is %q", n, got)
		}
	}
}
