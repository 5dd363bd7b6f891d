package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/api/types/events"
)

// eventful are commands that tell of themselves by events.
const eventful = `
volume create vol
network create net
run -d --name web --network none -l a=b -v vol:/v busybox sleep 1000
exec web true
exec web sh -c 'exit 3'
exec -d web true
pause web
unpause web
rename web www
top www
export -o $T/out.tar www
cp $T/host/file www:/tmp
cp www:/tmp/file $T/copied
commit www made:1
tag made:1 made:2
restart -t 0 www
kill -s USR1 www
resize www
update -m 64m --memory-swap 64m www
stop -t 0 www
start www
kill www
wait www
rm -v www
run --name rm --rm --network none busybox sh -c 'exit 3'
run -d --name two --network net busybox sleep 1000
network disconnect net two
network connect net two
rm -f two
create --name three --network none busybox true
rm three
rmi made:1
rmi made:2
import $T/rootfs.tar made:3
save -o $T/saved.tar made:3
rmi made:3
load -i $T/saved.tar
network rm net
volume rm vol
container prune -f
image prune -f
volume prune -f
network prune -f
`

// TestEventsBesideDockerd runs the same commands on berth and on the machine's dockerd, and compares the events of each:
// which, in which order, about what, with which attributes.
func TestEventsBesideDockerd(t *testing.T) {
	if testing.Short() {
		t.Skip("runs dozens of commands")
	}
	ours, theirs := besideDockerd(t)
	for command := range strings.Lines(eventful) {
		command = strings.TrimSpace(command)
		if command == "" {
			continue
		}
		var told, should func() string
		var both sync.WaitGroup
		both.Go(func() { told = ours.tells(quoted(command)) })
		both.Go(func() { should = theirs.tells(quoted(command)) })
		both.Wait()
		var got, want string
		// A command that waits for nothing, as exec -d and kill, is through before the death that it causes is told.
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			got, want = sameWords(command, told(), should())
			if got == want || time.Now().After(deadline) {
				break
			}
		}
		if got != want {
			t.Errorf("docker %s\nberth:\n%sdockerd:\n%s", command, got, want)
		}
	}
}

// sameWords are what two engines tell of a command without what differs on purpose:
// 20.10 tells of every volume that is asked for, not of the new ones only, and of
// one disconnect twice; a copy mounts volumes there; and a commit keeps the
// container frozen for longer.
func sameWords(command, got, want string) (string, string) {
	switch words := strings.Fields(command); words[0] {
	case "run":
		want = strings.ReplaceAll(want, "  volume create driver=local\n", "")
	case "network":
		want = strings.Join(slices.Compact(strings.SplitAfter(want, "\n")), "")
	case "cp":
		want = volumeMounts.ReplaceAllString(want, "")
	case "commit":
		got, want = sortedLines(got), sortedLines(want)
	}
	return got, want
}

// tells runs a command. The events since, a line each, are what the result asks for.
func (s *side) tells(command []string) func() string {
	now := func() string {
		out, code := s.docker("", []string{"info", "-f", "{{.SystemTime}}"})
		if code != 0 {
			s.t.Errorf("%s: %s", s.name, out)
		}
		return strings.TrimSpace(out)
	}
	before := now()
	s.docker("", command)
	return func() string {
		out, _ := s.docker("", []string{"events", "--since", before, "--until", now(), "--format", "{{json .}}"})
		return s.lines(out)
	}
}

// lines are events given as JSON, without what is different each time.
func (s *side) lines(out string) string {
	var b strings.Builder
	for line := range strings.Lines(out) {
		var e events.Message
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			s.t.Errorf("%s: %v: %s", s.name, err, line)
			continue
		}
		fmt.Fprintf(&b, "  %s %s", e.Type, digits.ReplaceAllString(string(e.Action), "ID"))
		for _, key := range slices.Sorted(maps.Keys(e.Actor.Attributes)) {
			if key == "execDuration" {
				continue // since 23.0
			}
			fmt.Fprintf(&b, " %s=%s", key, digits.ReplaceAllString(e.Actor.Attributes[key], "ID"))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// digits are IDs.
var digits = regexp.MustCompile(`(sha256:)?\b[0-9a-f]{64}\b|\b[0-9a-f]{12}\b`)

// volumeMounts are the events of volumes that are mounted and unmounted.
var volumeMounts = regexp.MustCompile(`(?m)^  volume (un)?mount .*\n`)

func sortedLines(text string) string {
	lines := strings.SplitAfter(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "")
}
