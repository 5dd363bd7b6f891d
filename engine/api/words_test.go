package api

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"berth/engine"
)

// Commands may be given as one string, which docker's specification has said from the beginning.
func TestWordsMayBeOneString(t *testing.T) {
	for text, want := range map[string]words{`"a b"`: {"a b"}, `""`: {""}, `["a","b"]`: {"a", "b"}, `[]`: {}, `null`: nil} {
		var got words
		if err := json.Unmarshal([]byte(text), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %#v, %v, want %#v", text, got, err, want)
		}
	}
	for _, text := range []string{`7`, `{}`, `[7]`, `true`} {
		if err := json.Unmarshal([]byte(text), new(words)); err == nil {
			t.Errorf("%s is taken for words", text)
		}
	}
	f := serve(t)
	f.expect("POST", "/containers/create", `{"Image":"i","User":"u","Cmd":"true","Entrypoint":"","Shell":"sh","HostConfig":{"CapAdd":"ALL","CapDrop":["A","B"],"Privileged":true}}`,
		201, `{"Id":"0123","Warnings":[]}`)
	o := f.containers.asked[0].(engine.CreateOptions)
	c, h := o.Config, o.HostConfig
	if c.User != "u" || !reflect.DeepEqual([][]string{c.Cmd, c.Entrypoint, c.Shell, h.CapAdd, h.CapDrop}, [][]string{{"true"}, {""}, {"sh"}, {"ALL"}, {"A", "B"}}) || !h.Privileged {
		t.Errorf("got %+v, %+v", c, h)
	}
	f.containers.asked = nil
	f.expect("POST", "/commit?container=web", `{"Cmd":"true"}`, 201, `{"Id":"sha256:c"}`)
	if o := f.containers.asked[0].(engine.CommitOptions); !reflect.DeepEqual(o.Config.Cmd, []string{"true"}) {
		t.Errorf("got %+v", o.Config)
	}
	// The command of an exec has never been one string.
	f.expect("POST", "/containers/create", `{"HostConfig":{"CapAdd":"ALL"}}`, 400, "message: config cannot be empty in order to create a container")
}

func TestStartTakesNoConfiguration(t *testing.T) {
	f := serve(t)
	const refusal = "message: starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24"
	f.expect("POST", "/containers/web/start", `{"Binds":["/a:/b"]}`, 400, refusal)
	f.expect("POST", "/containers/web/start", "null", 204, "")
	f.expect("POST", "/containers/web/start", "{}", 204, "")
}

func TestContentTypes(t *testing.T) {
	f := serve(t)
	const made = `{"Id":"0123","Warnings":[]}`
	for _, c := range []struct {
		media, body string
		status      int
		want        string
	}{
		{"application/json", `{"Image":"i"}`, 201, made},
		{"application/json; charset=utf-8", `{"Image":"i"}`, 201, made},
		{"Application/JSON", `{"Image":"i"}`, 201, made},
		{"text/plain", `{"Image":"i"}`, 400, "message: unsupported Content-Type header (text/plain): must be 'application/json'"},
		{"text/plain", "", 400, "message: unsupported Content-Type header (text/plain): must be 'application/json'"},
		{"application/json", "", 400, "message: config cannot be empty in order to create a container"},
		{"application/json-patch+json", `{}`, 400, "message: unsupported Content-Type header (application/json-patch+json): must be 'application/json'"},
		{"; ;", `{}`, 400, "message: malformed Content-Type header (; ;): mime: no media type"},
		{"application/json, text/plain", `{}`, 400, "message: malformed Content-Type header (application/json, text/plain): mime: unexpected content after media subtype"},
	} {
		f.header = map[string]string{"Content-Type": c.media}
		f.expect("POST", "/containers/create", c.body, c.status, c.want)
	}
}

// TestDeepAndLongBodies has JSON that is nested as deep as an attacker likes, and as long: it is refused, with a stack
// and a memory that do not grow with it.
func TestDeepAndLongBodies(t *testing.T) {
	f := serve(t)
	for _, open := range []string{"[", `{"a":`, `{"Labels":`, `{"HostConfig":{"Mounts":[`, `{"Future":[`} {
		for _, path := range []string{"/containers/create", "/commit?container=web", "/containers/web/update"} {
			f.header = nil
			status, text := f.do("POST", path, strings.Repeat(open, 100_000))
			if status != 400 || !strings.HasPrefix(text, `{"message":"invalid JSON: `) {
				t.Errorf("%s with %s...: %d %s", path, open, status, text)
			}
		}
		// A filter is JSON, too, and there is no more of it than a head of HTTP may hold.
		filters := strings.NewReplacer("{", "%7B", "[", "%5B", `"`, "%22").Replace(strings.Repeat(open, 12_000))
		if status, text := f.do("GET", "/containers/json?filters="+filters, ""); status != 400 || !strings.HasPrefix(text, `{"message":"invalid filter: `) {
			t.Errorf("filters with %s...: %d %s", open, status, text)
		}
	}
	if status, _ := f.do("POST", "/containers/create", `{"Labels":{`+strings.Repeat(`"a":"b",`, maxJSON/8)+`"a":"b"}}`); status != 413 {
		t.Errorf("a body that is too long: %d", status)
	}
	// Who says a key twice means the last.
	f.containers.asked = nil
	f.expect("POST", "/containers/create", `{"Image":"a","Image":"b","Cmd":["a"],"Cmd":["b"]}`, 201, `{"Id":"0123","Warnings":[]}`)
	if o := f.containers.asked[0].(engine.CreateOptions); o.Config.Image != "b" || o.Config.Cmd[0] != "b" {
		t.Errorf("got %+v", o.Config)
	}
}
