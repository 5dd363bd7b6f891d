package progress

import (
	"bufio"
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/vt"
)

const messages = `{"status":"Pulling from app","id":"1"}
{"status":"Pulling fs layer","progressDetail":{},"id":"aaa"}
{"status":"Pulling fs layer","progressDetail":{},"id":"bbb"}
{"status":"Downloading","progressDetail":{"current":50,"total":100},"id":"aaa"}
{"status":"Downloading","progressDetail":{"current":300,"total":300},"id":"bbb"}
{"status":"Download complete","progressDetail":{},"id":"bbb"}
`

const after = `{"status":"Download complete","progressDetail":{},"id":"aaa"}
{"status":"Pull complete","progressDetail":{},"id":"aaa"}
{"status":"Pull complete","progressDetail":{},"id":"bbb"}
{"status":"Digest: sha256:x"}
{"progressDetail":{},"aux":{"Tag":"1"}}
`

func TestPlain(t *testing.T) {
	var b bytes.Buffer
	if err := Plain(strings.NewReader(messages+after), &b); err != nil {
		t.Fatal(err)
	}
	want := `1: Pulling from app
aaa: Pulling fs layer
bbb: Pulling fs layer
bbb: Download complete
aaa: Download complete
aaa: Pull complete
bbb: Pull complete
Digest: sha256:x
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestErrorsEndIt(t *testing.T) {
	bad := messages + `{"errorDetail":{"message":"the line was cut"},"error":"the line was cut"}`
	if err := Plain(strings.NewReader(bad), &bytes.Buffer{}); err == nil || err.Error() != "the line was cut" {
		t.Errorf("plain: %v", err)
	}
	if err := Terminal(strings.NewReader(bad), &bytes.Buffer{}, func() (int, int) { return 24, 80 }); err == nil || err.Error() != "the line was cut" {
		t.Errorf("terminal: %v", err)
	}
	if err := Plain(strings.NewReader("{"), &bytes.Buffer{}); err == nil {
		t.Error("what is cut off is no error")
	}
}

// show is what a terminal of this size shows of messages.
func show(t *testing.T, messages string, rows, columns int) []string {
	t.Helper()
	var b bytes.Buffer
	if err := Terminal(strings.NewReader(messages), &b, func() (int, int) { return rows, columns }); err != nil {
		t.Fatal(err)
	}
	emulator := vt.NewEmulator(columns, rows)
	if _, err := emulator.Write(bytes.ReplaceAll(b.Bytes(), []byte("\n"), []byte("\r\n"))); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, l := range strings.Split(emulator.String(), "\n") {
		lines = append(lines, strings.TrimRight(l, " \r"))
	}
	return lines
}

func TestTerminal(t *testing.T) {
	got := show(t, messages, 10, 60)
	if got[0] != "1: Pulling from app" || got[1] != "aaa: Downloading      50B/100B" || got[2] != "bbb: Download complete" ||
		!strings.HasPrefix(got[3], "Total: 350B/400B at ") {
		t.Errorf("shown:\n%s", strings.Join(got, "\n"))
	}
	got = show(t, messages+after, 10, 120)
	if got[1] != "aaa: Pull complete" || got[2] != "bbb: Pull complete" || !strings.HasPrefix(got[3], "Total: 400B/400B at ") || got[4] != "Digest: sha256:x" {
		t.Errorf("shown:\n%s", strings.Join(got, "\n"))
	}
}

func TestTerminalThatIsTooSmallShowsWhatIsUnderWay(t *testing.T) {
	got := strings.Join(show(t, messages, 4, 60), "\n")
	if !strings.Contains(got, "aaa: Downloading") || !strings.Contains(got, "Total: ") {
		t.Errorf("shown:\n%s", got)
	}
	for _, l := range show(t, messages, 10, 20) {
		if len(l) > 20 {
			t.Errorf("%q is too long", l)
		}
	}
}

// TestUnpackingDoesNotSlowTheDownload pins that the speed is that of the bytes: a clock that goes on after the last of
// them does not make it fall.
func TestUnpackingDoesNotSlowTheDownload(t *testing.T) {
	at := time.Unix(0, 0)
	s := &screen{w: bufio.NewWriter(&bytes.Buffer{}), size: func() (int, int) { return 24, 80 }, now: func() time.Time { return at }, index: map[string]int{}, start: at}
	step := func(after time.Duration, message string) {
		t.Helper()
		at = at.Add(after)
		if err := each(strings.NewReader(message), s.message); err != nil {
			t.Fatal(err)
		}
	}
	step(0, `{"status":"Downloading","progressDetail":{"current":1,"total":4000},"id":"aaa"}`)
	step(2*time.Second, `{"status":"Downloading","progressDetail":{"current":4000,"total":4000},"id":"aaa"}`)
	step(time.Minute, `{"status":"Extracting","progressDetail":{"current":1,"total":9000},"id":"aaa"}`)
	if got := s.total(); got != "Total: 4kB/4kB at 2kB/s" {
		t.Errorf("%q", got)
	}
}
