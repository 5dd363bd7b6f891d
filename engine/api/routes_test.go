package api

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"berth/engine"
	"berth/engine/filter"

	"github.com/moby/moby/api/types/container"
)

func TestVersions(t *testing.T) {
	f := serve(t)
	for path, want := range map[string]string{
		"/v1.57/containers/json": "message: client version 1.57 is too new. Maximum supported API version is 1.56",
		"/v2.0/containers/json":  "message: client version 2.0 is too new. Maximum supported API version is 1.56",
		"/v1.23/containers/json": "message: client version 1.23 is too old. Minimum supported API version is 1.24, " +
			"please upgrade your client to a newer version",
	} {
		f.expect("GET", path, "", 400, want)
	}
	for _, path := range []string{"/v1.24/containers/json", "/v1.56/containers/json", "/containers/json"} {
		f.expect("GET", path, "", 200, "[]")
	}
	for _, path := range []string{"/v1/containers/json", "/v1.x/info2", "/", "/v1.50/", "/v1.50", "/containers", "/containers/x/y",
		"/containers//json", "/v1.50//info", "/v1.50/containers/x/../json", "/containers/json/", "/berth/"} {
		f.expect("GET", path, "", 404, "message: page not found")
	}
	// A method that a path does not have is not found either, as with docker.
	f.expect("PATCH", "/containers/json", "", 404, "message: page not found")
}

func TestPing(t *testing.T) {
	f := serve(t)
	for _, method := range []string{"GET", "HEAD"} {
		resp := f.send(method, "/_ping", "")
		resp.Body.Close()
		for name, want := range map[string]string{"Api-Version": "1.56", "Ostype": "linux", "Builder-Version": "2", "Swarm": "inactive", "Docker-Experimental": "false"} {
			if got := resp.Header.Get(name); resp.StatusCode != 200 || got != want {
				t.Errorf("%s: %s is %q, want %q", method, name, got, want)
			}
		}
	}
	f.expect("GET", "/v1.40/_ping", "", 200, "OK")
}

func TestBodies(t *testing.T) {
	f := serve(t)
	const path = "/v1.50/containers/create?name=/web"
	f.expect("POST", path, `{"Image":"busybox","FieldOfTheFuture":{"a":[1]}}`, 201, `{"Id":"0123","Warnings":[]}`)
	f.expect("POST", path, `{"Image":`, 400, "message: invalid JSON: unexpected EOF")
	f.expect("POST", path, "  ", 400, "message: invalid JSON: got EOF while reading request body")
	f.expect("POST", path, "", 400, "message: config cannot be empty in order to create a container")
	f.expect("POST", path, "{}", 400, "message: config cannot be empty in order to create a container")
	for _, garbage := range []string{"{}", "x", "}", "]"} {
		f.expect("POST", path, `{"Image":"busybox"} `+garbage, 400, "message: unexpected content after JSON")
	}
	f.expect("POST", path, `{"Image":"`+strings.Repeat("x", maxJSON)+`"}`, 413, fmt.Sprintf("message: the request body is larger than %d bytes", maxJSON))
	f.expect("POST", path, `{"Image":7}`, 400, "message: invalid JSON: json: cannot unmarshal number into Go struct field createBody.configBody.Config.Image of type string")

	req, _ := http.NewRequest("POST", "http://berth"+path, strings.NewReader("{}"))
	req.Header.Set("Content-Type", "text/plain")
	resp, err := f.http.Do(req)
	if err != nil || resp.StatusCode != 400 {
		t.Errorf("a body that is not declared as JSON: %v, %v", resp, err)
	}
	resp.Body.Close()
}

func TestCreateSaysWhatOldClientsMean(t *testing.T) {
	f := serve(t)
	f.expect("POST", "/v1.39/containers/create?name=n", `{"Image":"i","MacAddress":"02:00:00:00:00:01",
		"HostConfig":{"MemorySwappiness":-1,"PidsLimit":0,"NetworkMode":"default"}}`, 201, `{"Id":"0123","Warnings":[]}`)
	o := f.containers.asked[0].(engine.CreateOptions)
	if o.Name != "n" || o.HostConfig.MemorySwappiness != nil || o.HostConfig.PidsLimit != nil ||
		o.HostConfig.IpcMode != "shareable" || o.HostConfig.CgroupnsMode != "host" {
		t.Errorf("got %+v", o.HostConfig)
	}
	if e := o.NetworkingConfig.EndpointsConfig["default"]; e == nil || e.MacAddress.String() != "02:00:00:00:00:01" {
		t.Errorf("endpoint %+v", o.NetworkingConfig.EndpointsConfig)
	}
	f.containers.asked = nil
	f.expect("POST", "/v1.52/containers/create", `{"Image":"i","MacAddress":"02:00:00:00:00:01"}`, 201, `{"Id":"0123","Warnings":[]}`)
	if o := f.containers.asked[0].(engine.CreateOptions); o.NetworkingConfig != nil || o.HostConfig.IpcMode != "" {
		t.Errorf("1.52 ignores the address: %+v", o)
	}
}

func TestLifecycleRoutes(t *testing.T) {
	f := serve(t)
	five, forever := 5, -1
	for _, c := range []struct {
		method, path string
		status       int
		asked        any
	}{
		{"POST", "/containers/web/start", 204, engine.StartOptions{}},
		{"POST", "/containers/running/start", 304, nil},
		{"POST", "/containers/web/stop?t=5&signal=INT", 204, engine.StopOptions{Timeout: &five, Signal: "INT"}},
		{"POST", "/v1.41/containers/web/stop?t=5&signal=INT", 204, engine.StopOptions{Timeout: &five}},
		{"POST", "/containers/web/restart?t=-1", 204, engine.StopOptions{Timeout: &forever}},
		{"POST", "/containers/web/stop?t=soon", 400, nil},
		{"POST", "/containers/web/kill?signal=HUP", 204, "HUP"},
		{"POST", "/containers/web/pause", 204, "pause"},
		{"POST", "/containers/web/unpause", 204, "unpause"},
		{"POST", "/containers/web/rename?name=/other", 204, "other"},
		{"POST", "/containers/web/resize?h=24&w=80", 200, [2]uint{24, 80}},
		{"POST", "/containers/web/resize?h=24", 400, nil},
		{"POST", "/containers/web/resize?h=-1&w=80", 400, nil},
		{"POST", "/containers/web/resize?h=65536&w=80", 400, nil},
		{"DELETE", "/containers/web", 409, nil},
		{"DELETE", "/containers/web?force=1&v=true", 204, engine.RemoveOptions{Force: true, Volumes: true}},
		{"DELETE", "/containers/web/db?link=1", 204, "web/db"},
		{"DELETE", "/containers/web/db", 404, nil},
		{"POST", "/containers/nope/start", 404, engine.StartOptions{}},
		{"GET", "/containers/json?all=1&limit=3&size=false&filters=%7B%22label%22%3A%5B%22a%22%5D%7D", 200,
			engine.ListOptions{All: true, Limit: 3, Filters: filter.Args{"label": {"a"}}}},
		{"GET", "/containers/json?limit=x", 400, nil},
		{"GET", "/containers/json?filters=%7B", 400, nil},
		{"GET", "/containers/nope/json", 404, nil},
		{"GET", "/containers/web/changes", 200, nil},
		{"GET", "/containers/web/top?ps_args=aux", 200, nil},
		{"POST", "/containers/web/wait?condition=whenever", 400, nil},
		{"POST", "/containers/prune", 200, filter.Args{}},
	} {
		f.containers.asked = nil
		if status, body := f.do(c.method, c.path, ""); status != c.status {
			t.Errorf("%s %s: got %d %s, want %d", c.method, c.path, status, body, c.status)
		}
		if c.asked != nil && (len(f.containers.asked) != 1 || !reflect.DeepEqual(f.containers.asked[0], c.asked)) {
			t.Errorf("%s %s: asked %+v, want %+v", c.method, c.path, f.containers.asked, c.asked)
		}
	}
	f.expect("POST", "/containers/nope/start", "", 404, "message: No such container: nope")
}

func TestImageRoutesTakeNamesWithSlashes(t *testing.T) {
	f := serve(t)
	const name = "127.0.0.1:5000/team/app"
	f.expect("GET", "/v1.50/images/"+name+":1/history", "", 200, "[]")
	f.expect("GET", "/images/"+name+"@sha256:abc/json", "", 200, `{"Id":"sha256:1","RepoTags":null,"RepoDigests":null,"Config":null,`+
		`"Architecture":"","Os":"","Size":7,"RootFS":{},"Metadata":{"LastTagTime":"0001-01-01T00:00:00Z"}}`)
	f.expect("POST", "/images/json/json/tag?repo=r&tag=t", "", 201, "")
	f.expect("DELETE", "/images/"+name+"?force=1", "", 200, "[]")
	f.expect("DELETE", "/images/json", "", 200, "[]")
	f.expect("GET", "/images/a/b/get", "", 200, "[a/b]")
	f.expect("GET", "/images/get?names=a&names=b%2Fc", "", 200, "[a b/c]")
	f.expect("GET", "/images/get", "", 400, "message: no image was named: give ?names=, once for each image")
	f.expect("GET", "/images/a", "", 404, "message: page not found")
	want := []any{name + ":1", name + "@sha256:abc", [3]string{"json/json", "r", "t"},
		name, engine.ImageRemoveOptions{Force: true}, "json", engine.ImageRemoveOptions{}}
	if !reflect.DeepEqual(f.images.asked, want) {
		t.Errorf("asked %v,\nwant  %v", f.images.asked, want)
	}
}

func TestLoadAndImport(t *testing.T) {
	f := serve(t)
	f.expect("POST", "/images/load", "tar", 200, "{\"stream\":\"Loaded image: a:1\\n\"}\n{\"stream\":\"Loaded image ID: sha256:2\\n\"}")
	f.expect("POST", "/images/load", "junk", 200, `{"errorDetail":{"message":"reading the archive: not a tar"},"error":"reading the archive: not a tar"}`)
	f.expect("POST", "/images/create?fromSrc=-&repo=r&tag=t&message=m&changes=CMD+a&changes=ENV+b", "abc", 200, `{"status":"sha256:abc"}`)
	f.expect("POST", "/images/create?fromSrc=host/a.tar&repo=r", "", 200, strings.Join([]string{
		`{"status":"Downloading from http://host/a.tar"}`,
		`{"status":"Importing","progressDetail":{"current":3,"total":3},"progress":"[==================================================\u003e]       3B/3B"}`,
		`{"status":"sha256:abc"}`}, "\r\n"))
	f.expect("POST", "/images/create?fromSrc=nowhere", "", 404, "message: failed to GET http://nowhere")
	if got := f.images.asked[1].(engine.ImportOptions).Message; got != "Imported from host/a.tar" {
		t.Errorf("message %q", got)
	}
	want := engine.ImportOptions{Repo: "r", Tag: "t", Message: "m", Changes: []string{"CMD a", "ENV b"}}
	if got := f.images.asked[0]; !reflect.DeepEqual(got, want) {
		t.Errorf("asked %+v", got)
	}
}

func TestCommitRoute(t *testing.T) {
	f := serve(t)
	f.expect("POST", "/commit?container=web&repo=r&tag=t&author=a&comment=c&changes=CMD+a&changes=ENV+b&pause=0", "null", 201, `{"Id":"sha256:c"}`)
	f.expect("POST", "/v1.41/commit?container=web", `{"User":"u"}`, 201, `{"Id":"sha256:c"}`)
	want := []any{
		engine.CommitOptions{Repo: "r", Tag: "t", Author: "a", Comment: "c", Changes: []string{"CMD a", "ENV b"}},
		engine.CommitOptions{Pause: true, Config: &container.Config{User: "u"}},
	}
	if !reflect.DeepEqual(f.containers.asked, want) {
		t.Errorf("asked %+v", f.containers.asked)
	}
	f.expect("POST", "/commit?container=nope", "", 404, "message: No such container: nope")
}

func TestWhatIsNotHereSaysSo(t *testing.T) {
	f := serve(t)
	for path, status := range map[string]int{
		"GET /swarm": 503, "GET /nodes": 503, "GET /services/x/logs": 503, "POST /secrets/create": 503, "POST /swarm/init": 501,
		"GET /plugins/x/json": 404, "POST /plugins/a/b/enable": 404,
	} {
		method, path, _ := strings.Cut(path, " ")
		if got, body := f.do(method, path, ""); got != status || method != "HEAD" && !strings.HasPrefix(body, `{"message":"`) {
			t.Errorf("%s %s: got %d %s, want %d", method, path, got, body, status)
		}
	}
	f.expect("GET", "/plugins", "", 200, "[]")
}

func TestWaitAnswersTheHeaderFirst(t *testing.T) {
	f := serve(t)
	resp := f.send("POST", "/containers/web/wait?condition=next-exit", "")
	defer resp.Body.Close()
	// The header is here although the container has not ended.
	f.containers.exit <- container.WaitResponse{StatusCode: 3}
	body := make([]byte, 100)
	n, _ := resp.Body.Read(body)
	if got := string(body[:n]); resp.StatusCode != 200 || got != "{\"StatusCode\":3}\n" {
		t.Errorf("got %d %q", resp.StatusCode, got)
	}
	if got := f.containers.asked[0]; got != container.WaitConditionNextExit {
		t.Errorf("condition %v", got)
	}
}
