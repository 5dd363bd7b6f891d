package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/moby/api/types/container"
	"go.yaml.in/yaml/v3"
)

// TestAnswersFollowTheSpecification compares what the engine answers with the schemas of the swagger.yaml that the types come
// from: every field must be there under its name, of its type, and of the words that it may be.
func TestAnswersFollowTheSpecification(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/moby/moby/api").Output()
	if err != nil {
		t.Skip("no go command to ask where the specification is")
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "swagger.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var spec schema
	if err := yaml.Unmarshal(text, &spec); err != nil {
		t.Fatal(err)
	}
	r := newRig(t)
	id := r.create("web", container.Config{Labels: map[string]string{"a": "b"}, Healthcheck: &container.HealthConfig{Test: []string{"CMD", "true"}}}, "sleep", "1000")
	r.start(id)
	http := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", r.socket) }}}
	defer http.CloseIdleConnections()
	v := validator{t: t, spec: spec, http: http}
	exec := v.ask("POST", "/containers/{id}/exec", "/containers/web/exec", `{"Cmd":["true"]}`, 201)
	for _, c := range []struct {
		method, route, path, body string
		status                    int
	}{
		{"GET", "/containers/json", "/containers/json?all=1&size=1", "", 200},
		{"GET", "/containers/json", "/containers/json?limit=x", "", 400},
		{"POST", "/containers/create", "/containers/create?name=second", `{"Image":"busybox"}`, 201},
		{"POST", "/containers/create", "/containers/create?name=second", `{"Image":"busybox"}`, 409},
		{"POST", "/containers/create", "/containers/create", `{"Image":"none"}`, 404},
		{"POST", "/containers/create", "/containers/create", `{"Image":"busybox","Env":["="]}`, 400},
		{"GET", "/containers/{id}/json", "/containers/web/json?size=1", "", 200},
		{"GET", "/containers/{id}/json", "/containers/nope/json", "", 404},
		{"GET", "/containers/{id}/top", "/containers/web/top", "", 200},
		{"GET", "/containers/{id}/changes", "/containers/web/changes", "", 200},
		{"GET", "/containers/{id}/stats", "/containers/web/stats?stream=0&one-shot=1", "", 200},
		{"POST", "/containers/{id}/update", "/containers/web/update", `{"PidsLimit":50}`, 200},
		{"GET", "/exec/{id}/json", "/exec/" + exec["Id"].(string) + "/json", "", 200},
		{"GET", "/exec/{id}/json", "/exec/nope/json", "", 404},
		{"GET", "/images/json", "/images/json?all=1&digests=1&shared-size=1", "", 200},
		{"GET", "/images/{name}/json", "/images/busybox/json", "", 200},
		{"GET", "/images/{name}/history", "/images/busybox/history", "", 200},
		{"GET", "/images/{name}/json", "/images/none/json", "", 404},
		{"DELETE", "/images/{name}", "/images/none", "", 404},
		{"DELETE", "/images/{name}", "/images/busybox", "", 409},
		{"POST", "/images/prune", "/images/prune", "", 200},
		{"POST", "/networks/create", "/networks/create", `{"Name":"front","Labels":{"a":"b"}}`, 201},
		{"GET", "/networks", "/networks", "", 200},
		{"GET", "/networks/{id}", "/networks/front", "", 200},
		{"GET", "/networks/{id}", "/networks/nope", "", 404},
		{"POST", "/networks/prune", "/networks/prune", "", 200},
		{"POST", "/volumes/create", "/volumes/create", `{"Name":"data"}`, 201},
		{"GET", "/volumes", "/volumes", "", 200},
		{"GET", "/volumes/{name}", "/volumes/data", "", 200},
		{"DELETE", "/volumes/{name}", "/volumes/nope", "", 404},
		{"POST", "/volumes/prune", "/volumes/prune", "", 200},
		{"GET", "/info", "/info", "", 200},
		{"GET", "/version", "/version", "", 200},
		{"GET", "/system/df", "/system/df?verbose=1", "", 200},
		{"GET", "/plugins", "/plugins", "", 200},
		{"GET", "/swarm", "/swarm", "", 503},
		{"GET", "/nodes", "/nodes", "", 503},
		{"POST", "/commit", "/commit?container=web&repo=made", "", 201},
		{"GET", "/events", "/events?since=1&until=2", "", 200},
		{"POST", "/containers/{id}/wait", "/containers/second/wait", "", 200},
		{"DELETE", "/containers/{id}", "/containers/web", "", 409},
		{"POST", "/containers/prune", "/containers/prune", "", 200},
	} {
		v.ask(c.method, c.route, c.path, c.body, c.status)
	}
}

// schema is a part of the specification: JSON Schema as Swagger 2.0 has it.
type schema = map[string]any

// validator asks, and holds the answers against the specification.
type validator struct {
	t    *testing.T
	spec schema
	http *http.Client
}

// ask sends a request for a route of the specification and returns the answer, if it is an object.
func (v *validator) ask(method, route, path, body string, status int) map[string]any {
	v.t.Helper()
	req, err := http.NewRequest(method, "http://berth"+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := v.http.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	if resp.StatusCode != status {
		v.t.Errorf("%s %s: %d %s, want %d", method, path, resp.StatusCode, text, status)
		return nil
	}
	paths := v.spec["paths"].(schema)
	operation := paths[route].(schema)[strings.ToLower(method)].(schema)
	described, ok := operation["responses"].(schema)[strconv.Itoa(status)].(schema)
	if !ok {
		v.t.Errorf("%s %s: the specification knows no answer %d", method, route, status)
		return nil
	}
	want, ok := described["schema"].(schema)
	if !ok || len(text) == 0 {
		return nil
	}
	var got any
	if err := json.Unmarshal(text, &got); err != nil {
		v.t.Errorf("%s %s: %v in %s", method, path, err, text)
		return nil
	}
	for _, wrong := range v.check(want, got, "") {
		v.t.Errorf("%s %s: %s", method, path, wrong)
	}
	object, _ := got.(map[string]any)
	return object
}

// check tells what of value is not as s says. Null stands for anything: Go writes an absent list so, and docker too.
func (v *validator) check(s schema, value any, at string) []string {
	s = v.flat(s)
	if value == nil {
		return nil
	}
	is := map[bool]string{}
	switch value := value.(type) {
	case bool:
		is[true] = "boolean"
	case float64:
		is[true] = "number"
		if value == float64(int64(value)) {
			is[false] = "integer"
		}
	case string:
		is[true] = "string"
		if words, ok := s["enum"].([]any); ok && !slices.Contains(words, any(value)) {
			return []string{fmt.Sprintf("%s is %q, which is none of %v", at, value, words)}
		}
	case []any:
		is[true] = "array"
	case map[string]any:
		is[true] = "object"
	}
	if kind, ok := s["type"].(string); ok && kind != is[true] && kind != is[false] {
		return []string{fmt.Sprintf("%s is %v, want %s", at, value, kind)}
	}
	switch value := value.(type) {
	case []any:
		items, _ := s["items"].(schema)
		var wrong []string
		for i, item := range value {
			wrong = append(wrong, v.check(items, item, fmt.Sprintf("%s[%d]", at, i))...)
		}
		return wrong
	case map[string]any:
		return v.object(s, value, at)
	}
	return nil
}

// object is check for an object.
func (v *validator) object(s schema, value map[string]any, at string) (wrong []string) {
	properties, _ := s["properties"].(schema)
	for _, name := range list(s["required"]) {
		if _, ok := value[name]; !ok {
			wrong = append(wrong, fmt.Sprintf("%s.%s is missing", at, name))
		}
	}
	other, open := s["additionalProperties"].(schema)
	for name, field := range value {
		switch p, known := properties[name].(schema); {
		case known:
			wrong = append(wrong, v.check(p, field, at+"."+name)...)
		case open:
			wrong = append(wrong, v.check(other, field, at+"."+name)...)
		case len(properties) > 0:
			wrong = append(wrong, fmt.Sprintf("%s.%s is not in the specification", at, name))
		}
	}
	return wrong
}

// flat is s with references followed and allOf merged.
func (v *validator) flat(s schema) schema {
	if ref, ok := s["$ref"].(string); ok {
		at := v.spec
		for _, part := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
			at = at[part].(schema)
		}
		return v.flat(at)
	}
	parts, ok := s["allOf"].([]any)
	if !ok {
		return s
	}
	whole, properties := schema{"type": "object"}, schema{}
	for _, part := range append(parts, schema{"properties": s["properties"]}) {
		flat := v.flat(part.(schema))
		own, _ := flat["properties"].(schema)
		for name, p := range own {
			properties[name] = p
		}
	}
	whole["properties"] = properties
	return whole
}

// list is a list of words of the specification.
func list(v any) (out []string) {
	words, _ := v.([]any)
	for _, w := range words {
		out = append(out, w.(string))
	}
	return out
}
