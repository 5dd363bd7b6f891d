package api_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// TestBadInputBesideDockerd sends what is wrong in hundreds of ways to berth and to the machine's dockerd, and compares
// status and message. What differs on purpose says so in testdata/badinput.txt, and is an error once it does not differ.
func TestBadInputBesideDockerd(t *testing.T) {
	if testing.Short() {
		t.Skip("asks hundreds of questions of two engines")
	}
	ours, theirs := besideDockerd(t)
	for _, s := range []*side{ours, theirs} {
		for _, command := range []string{"run -d --name web --network none busybox sleep 1000", "create --name off --network none busybox true"} {
			if out, code := s.docker("", quoted(command)); code != 0 {
				t.Fatal(out)
			}
		}
	}
	script, err := os.ReadFile("testdata/badinput.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range steps(string(script)) {
		var got, want string
		var both sync.WaitGroup
		both.Go(func() { got = ours.refuses(s.text) })
		both.Go(func() { want = theirs.refuses(s.text) })
		both.Wait()
		if strings.HasPrefix(want, "500 ") && strings.HasPrefix(got, "400 ") {
			want = "400 " + want[4:]
		}
		said := strings.TrimSpace(s.want)
		switch {
		case s.why == "" && got != want:
			t.Errorf("line %d: %s\nberth:   %s\ndockerd: %s", s.line, s.text, got, want)
		case s.why != "" && got == want:
			t.Errorf("line %d: %s: there is no difference any more: %s", s.line, s.text, got)
		case s.why != "" && got != said:
			t.Errorf("line %d: %s\ngot  %s\nwant %s", s.line, s.text, got, said)
		}
	}
}

// refuses is the status and the message of an answer; of one that is no error, the status alone.
func (s *side) refuses(request string) string {
	method, rest, _ := strings.Cut(request, " ")
	path, body, _ := strings.Cut(rest, " ")
	status, text := s.ask(method, "/v1.41"+path, body)
	var answer struct{ Message string }
	if status < 400 || json.Unmarshal([]byte(text), &answer) != nil {
		return fmt.Sprint(status)
	}
	message := strings.TrimSpace(digits.ReplaceAllString(answer.Message, "ID"))
	for _, prefix := range []string{"invalid JSON: ", "invalid filter: ", "error reading volume filters: "} {
		message = strings.TrimPrefix(message, prefix)
	}
	message = goWords.ReplaceAllString(message, "json: cannot unmarshal $1")
	if message != "" {
		message = strings.ToLower(message[:1]) + message[1:]
	}
	return strings.ReplaceAll(fmt.Sprintf("%d %s", status, message), s.dir, "$T")
}

// goWords are where in Go's types JSON does not fit.
var goWords = regexp.MustCompile(`json: cannot unmarshal (.*) into Go .*`)
