package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/events"
)

// happened is what the filters choose from.
const happened = `
volume create -d local --label a=b vol
network create --label a=b net
run -d --name web --network none -l a=b -l tier=front --health-cmd true --health-interval 1h busybox sleep 1000
exec web true
run -d --name pg --network none -l tier=back busybox sleep 1000
tag busybox other:1
rename pg database
kill -s USR1 web
pause web
unpause web
rm -f database
rmi other:1
network rm net
volume rm vol
`

// chosen are filters, in the form that clients send them; $ID is the container "web", $IMAGE the image.
// No name is the beginning of an ID: dockerd compares both with whatever an event is about.
var chosen = []string{
	``, `{}`,
	`{"type":{"container":true}}`, `{"type":["image","volume"]}`, `{"type":["daemon"]}`, `{"type":["nonsense"]}`, `{"type":["Container"]}`,
	`{"event":["create"]}`, `{"event":["create","destroy"]}`, `{"event":["exec_create"]}`, `{"event":["exec_start"]}`, `{"event":["exec"]}`, `{"event":["exec_die"]}`,
	`{"event":["health_status"]}`, `{"event":["exec_create: true"]}`, `{"event":["nonsense"]}`, `{"event":[""]}`, `{"event":["CREATE"]}`,
	`{"container":["web"]}`, `{"container":["/web"]}`, `{"container":["we"]}`, `{"container":["$ID"]}`, `{"container":["$SHORT"]}`, `{"container":["pg"]}`, `{"container":["database"]}`,
	`{"container":["web","database"]}`, `{"container":["nosuch"]}`, `{"container":[""]}`,
	`{"image":["busybox"]}`, `{"image":["busybox:latest"]}`, `{"image":["busybox:1"]}`, `{"image":["other"]}`, `{"image":["other:1"]}`, `{"image":["$IMAGE"]}`, `{"image":["busy"]}`, `{"image":["nosuch","busybox"]}`,
	`{"volume":["vol"]}`, `{"volume":["vo"]}`, `{"volume":["nosuch"]}`,
	`{"network":["net"]}`, `{"network":["ne"]}`, `{"network":["none"]}`, `{"network":["bridge","net"]}`,
	`{"daemon":["nosuch"]}`, `{"plugin":["nosuch"]}`, `{"scope":["local"]}`, `{"scope":["swarm"]}`, `{"scope":["local","swarm"]}`,
	`{"label":["a"]}`, `{"label":["a=b"]}`, `{"label":["a=c"]}`, `{"label":["tier=front","tier=back"]}`, `{"label":["a=b","tier=front"]}`, `{"label":["tier"]}`, `{"label":["image"]}`,
	`{"type":["container"],"event":["start"]}`, `{"type":["image"],"container":["web"]}`, `{"container":["web"],"image":["busybox"]}`, `{"container":["web"],"event":["kill","pause"],"label":["a=b"]}`,
	`{"container":["web"],"network":["net"]}`, `{"volume":["vol"],"type":["volume"]}`,
	`{"node":["x"]}`, `{"service":["x"]}`, `{"secret":["x"]}`, `{"config":["x"]}`,
	`{"type":{"container":false}}`, `{"type":{"container":false,"image":true}}`, `{"event":{"start":false}}`, `{"container":{"web":false}}`, `{"label":{"a":false}}`,
	`{"nonsense":["x"]}`, `{"event":7}`, `{`, `[]`,
}

// TestEventFiltersBesideDockerd lets the same happen on berth and on the machine's dockerd, and compares what each kind of
// filter leaves of it, in which order.
func TestEventFiltersBesideDockerd(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a dockerd")
	}
	ours, theirs := besideDockerd(t)
	var windows, names [2]*strings.Replacer
	var since [2]int64
	for i, s := range []*side{ours, theirs} {
		since[i] = time.Now().UnixNano()
		for command := range strings.Lines(happened) {
			if command = strings.TrimSpace(command); command == "" {
				continue
			}
			if out, code := s.docker("", quoted(command)); code != 0 {
				t.Fatalf("%s: %s: %s", s.name, command, out)
			}
		}
		id, _ := s.docker("", []string{"inspect", "-f", "{{.Id}}", "web"})
		image, _ := s.docker("", []string{"inspect", "-f", "{{.Id}}", "busybox"})
		id = strings.TrimSpace(id)
		names[i] = strings.NewReplacer("$ID", id, "$SHORT", id[:7], "$IMAGE", strings.TrimSpace(image))
		windows[i] = strings.NewReplacer("$SINCE", nanos(since[i]), "$UNTIL", nanos(time.Now().UnixNano()))
	}
	for _, filter := range chosen {
		const window = "since=$SINCE&until=$UNTIL&filters="
		got := ours.events(windows[0].Replace(window) + url.QueryEscape(names[0].Replace(filter)))
		want := theirs.events(windows[1].Replace(window) + url.QueryEscape(names[1].Replace(filter)))
		if got != want {
			t.Errorf("%s\nberth:\n%sdockerd:\n%s", filter, got, want)
		}
		if filter == "" && strings.Count(got, "\n") < 20 {
			t.Errorf("only this happened:\n%s", got)
		}
	}
	// And every form of a moment that dockerd takes: others it leaves to its client, and berth does not.
	for _, window := range []string{
		"since=$SINCE&until=1", "until=1", "since=9999999999&until=1", "since=0&until=0.5", "since=1.5&until=1.25",
		"since=abc&until=1", "since=1&until=abc", "until=1.123456789123", "since=1.9999999999&until=2", "since=-1&until=1", "since=%20&until=1", "since=1,5&until=1",
	} {
		if got, want := ours.events(windows[0].Replace(window)), theirs.events(windows[1].Replace(window)); got != want {
			t.Errorf("%s\nberth:\n%sdockerd:\n%s", window, got, want)
		}
	}
	for window, want := range map[string]int{"since=1h&until=$UNTIL": 2, "since=2006-01-02&until=$UNTIL": 2, "since=2006-01-02T15:04:05Z&until=1h": 0, "since=2h&until=1h": 0} {
		const volumes = "&filters=%7B%22type%22%3A%5B%22volume%22%5D%7D"
		if got := ours.events(windows[0].Replace(window) + volumes); strings.Count(got, "\n") != want || strings.Contains(got, "refused") {
			t.Errorf("%s: want %d volumes' events, got\n%s", window, want, got)
		}
	}
}

// nanos is a moment as clients write it: seconds, a point and nine digits.
func nanos(n int64) string { return fmt.Sprintf("%d.%09d", n/1e9, n%1e9) }

// events are those that a query chooses, a line each, or the error that answers it.
func (s *side) events(query string) string {
	s.t.Helper()
	status, text := s.ask("GET", "/v1.41/events?"+query, "")
	if status != 200 {
		// 23.0 and newer say 400 to what is wrong with a request.
		return fmt.Sprintln("refused", status >= 400)
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		var e events.Message
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			s.t.Errorf("%s: %v: %s", s.name, err, line)
			continue
		}
		fmt.Fprintf(&b, "  %s %s", e.Type, digits.ReplaceAllString(string(e.Action), "ID"))
		for _, key := range slices.Sorted(maps.Keys(e.Actor.Attributes)) {
			if key != "execDuration" { // since 23.0
				fmt.Fprintf(&b, " %s=%s", key, digits.ReplaceAllString(e.Actor.Attributes[key], "ID"))
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}
