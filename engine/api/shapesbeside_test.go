package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// shapeVersions are those whose answers are compared: the oldest that is served, the newest of dockerd 20.10, and two between.
var shapeVersions = []string{"1.24", "1.30", "1.40", "1.41"}

// shaped are the commands that make what the answers tell of.
const shaped = `
volume create --label a=b vol
network create --label a=b --subnet 10.213.7.0/24 net
run -d --name web --hostname h --network net -p 127.0.0.1::80 -v vol:/v --tmpfs /t -l a=b -e A=b --health-cmd true --health-interval 1h --restart on-failure:2 -m 64m --ulimit nofile=64:64 --device /dev/null:/dev/x --log-opt max-size=1m --sysctl kernel.msgmax=8192 busybox sleep 1000
run -d --name plain busybox sleep 1000
create --name new --network none busybox true
commit -c 'ENV A=b' -c 'LABEL a=b' -c 'EXPOSE 80' -c 'VOLUME /v' -c 'HEALTHCHECK CMD true' -a me -m words plain made:1
`

// shapes are the requests whose answers are compared. An answer of lines is compared by its first.
const shapes = `
GET /containers/json?all=1&size=1
GET /containers/web/json?size=1
GET /containers/plain/json
GET /containers/new/json
GET /containers/web/top
GET /containers/web/changes
GET /containers/web/stats?stream=0
GET /images/json?all=1&digests=1
GET /images/busybox/json
GET /images/made:1/json
GET /images/made:1/history
GET /networks
GET /networks/net
GET /networks/bridge
GET /networks/none
GET /volumes
GET /volumes/vol
GET /info
GET /version
GET /_ping
GET /system/df
GET /events?since=1&until=$NOW
GET /plugins
GET /swarm
GET /nodes
GET /containers/nosuch/json
GET /images/nosuch/json
GET /networks/nosuch
GET /volumes/nosuch
GET /nosuch
POST /containers/create {"Image":"busybox","HostConfig":{"NetworkMode":"none"}}
POST /containers/create {"Image":"nosuch"}
POST /containers/create {"Image":"busybox","HostConfig":{"OomKillDisable":true}}
POST /containers/web/exec {"Cmd":["true"],"AttachStdout":true}
POST /containers/web/update {"CpuShares":512}
POST /containers/new/wait
POST /networks/create {"Name":"another"}
POST /volumes/create {"Name":"another"}
POST /commit?container=plain
POST /images/made:1/tag?repo=made&tag=2
DELETE /images/made:2
POST /containers/prune?filters={"label":["no"]}
POST /images/prune?filters={"label":["no"]}
POST /networks/prune?filters={"label":["no"]}
POST /volumes/prune?filters={"label":["no"]}
POST /build/prune
DELETE /networks/another
DELETE /volumes/another
`

// TestShapesOfOldVersions asks berth and the machine's dockerd the same in old versions of the API, and compares which keys
// the answers have, and of which types. The differences are in testdata/shapes.txt, with their reasons; one that is
// not there is an error, and so is one that is there and not here.
func TestShapesOfOldVersions(t *testing.T) {
	if testing.Short() {
		t.Skip("asks some hundred questions of two engines")
	}
	ours, theirs := besideDockerd(t)
	for command := range strings.Lines(shaped) {
		if command = strings.TrimSpace(command); command == "" {
			continue
		}
		for _, s := range []*side{ours, theirs} {
			if out, code := s.docker("", quoted(command)); code != 0 {
				t.Fatalf("%s: %s: %s", s.name, command, out)
			}
		}
	}
	seen := map[string][]string{} // a difference, and the versions that have it
	for _, version := range shapeVersions {
		for request := range strings.Lines(shapes) {
			if request = strings.TrimSpace(request); request == "" {
				continue
			}
			a, b := ours.shape(version, request), theirs.shape(version, request)
			name, _, _ := strings.Cut(request, " {")
			name, _, _ = strings.Cut(name, "?filters")
			all := maps.Clone(a)
			maps.Copy(all, b)
			for key := range all {
				if a[key] != b[key] && !below(key, a, b) {
					what := fmt.Sprintf("%s %s: %s, dockerd %s", name, key, orNone(a[key]), orNone(b[key]))
					seen[what] = append(seen[what], version)
				}
			}
		}
	}
	compareDifferences(t, "testdata/shapes.txt", seen)
}

// compareDifferences holds differences against those that a file lists: groups of them below a line that begins with "!"
// and says why.
func compareDifferences(t *testing.T, path string, seen map[string][]string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '!' && line[0] != '#' {
			listed[line] = true
		}
	}
	for _, what := range slices.Sorted(maps.Keys(seen)) {
		line := what
		if len(seen[what]) < len(shapeVersions) {
			line += " (" + strings.Join(seen[what], " ") + ")"
		}
		if !listed[line] {
			t.Errorf("a difference that %s does not list:\n%s", path, line)
		}
		delete(listed, line)
	}
	for _, line := range slices.Sorted(maps.Keys(listed)) {
		t.Errorf("a difference that %s lists is gone:\n%s", path, line)
	}
}

// orNone is the word for a key that an answer does not have.
func orNone(kind string) string {
	if kind == "" {
		return "nothing"
	}
	return kind
}

// below tells whether a key is missing in one of the answers because what holds it is.
func below(key string, a, b map[string]string) bool {
	for i := len(key) - 1; i > 0; i-- {
		if key[i] == '.' || key[i] == '[' {
			if parent := key[:i]; a[parent] != b[parent] {
				return true
			}
		}
	}
	return false
}

// shape is what an answer looks like: the type of each key, and the status under "status".
func (s *side) shape(version, request string) map[string]string {
	s.t.Helper()
	method, rest, _ := strings.Cut(strings.ReplaceAll(request, "$NOW", fmt.Sprint(time.Now().Unix())), " ")
	path, body, _ := strings.Cut(rest, " ")
	status, answer := s.ask(method, "/v"+version+path, body)
	shape := map[string]string{"status": fmt.Sprint(status)}
	if strings.HasPrefix(answer, "{") || strings.HasPrefix(answer, "[") {
		var value any
		if err := json.NewDecoder(strings.NewReader(answer)).Decode(&value); err != nil {
			s.t.Errorf("%s: %s: %v in %s", s.name, request, err, answer)
		}
		flatten(shape, "", value)
	} else if answer != "" {
		shape["text"] = answer
	}
	return shape
}

// ask sends a request to an engine.
func (s *side) ask(method, path, body string) (status int, answer string) {
	s.t.Helper()
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", strings.TrimPrefix(s.host, "unix://"))
	}}}
	path = strings.NewReplacer("{", "%7B", "}", "%7D", `"`, "%22", "[", "%5B", "]", "%5D", " ", "%20").Replace(path)
	req, err := http.NewRequestWithContext(s.t.Context(), method, "http://engine"+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := client.Do(req)
	if err != nil {
		s.t.Errorf("%s: %s %s: %v", s.name, method, path, err)
		return 0, ""
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Errorf("%s: %s %s: %v", s.name, method, path, err)
	}
	return resp.StatusCode, strings.TrimSpace(string(text))
}

// flatten writes the types of a value and of all in it to shape. Of the elements of an array each adds what it has.
func flatten(shape map[string]string, at string, value any) {
	set := func(kind string) {
		if old := shape[at]; old != "" && old != kind && !slices.Contains(strings.Split(old, "|"), kind) {
			kinds := append(strings.Split(old, "|"), kind)
			slices.Sort(kinds)
			kind = strings.Join(kinds, "|")
		} else if old != "" {
			return
		}
		shape[at] = kind
	}
	switch value := value.(type) {
	case nil:
		set("null")
	case bool:
		set("bool")
	case float64:
		set("number")
	case string:
		set("string")
	case []any:
		set("array")
		for _, item := range value {
			flatten(shape, at+"[]", item)
		}
	case map[string]any:
		set("object")
		for key, item := range value {
			flatten(shape, at+"."+digits.ReplaceAllString(key, "ID"), item)
		}
	}
}
