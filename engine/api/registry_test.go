package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"berth/engine/filter"
	"berth/engine/registry"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/pkg/authconfig"
	"github.com/moby/moby/api/types/jsonstream"
	apiregistry "github.com/moby/moby/api/types/registry"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// registries stands for an engine that talks to registries.
type registries struct {
	asked []string
	err   error // after the messages
	say   []jsonstream.Message
}

func (r *registries) ask(verb string, args ...any) {
	r.asked = append(r.asked, strings.TrimSpace(verb+" "+fmt.Sprintln(args...)))
}

func (r *registries) Pull(_ context.Context, name, tag string, o registry.PullOptions) error {
	platform := "-"
	if o.Platform != nil {
		platform = o.Platform.OS + "/" + o.Platform.Architecture
	}
	r.ask("pull", name, tag, platform, o.Auth.Username)
	for _, m := range r.say {
		o.Report(m)
	}
	return r.err
}

func (r *registries) Push(_ context.Context, name, tag string, o registry.PushOptions) error {
	r.ask("push", name, tag, o.Auth.Username)
	for _, m := range r.say {
		o.Report(m)
	}
	return r.err
}

func (r *registries) Login(_ context.Context, auth registry.Auth) (string, error) {
	r.ask("login", auth.ServerAddress, auth.Username, auth.Password)
	return "token", r.err
}

func (r *registries) Search(_ context.Context, term string, limit int, f filter.Args, _ registry.Auth) ([]apiregistry.SearchResult, error) {
	r.ask("search", term, limit, f["stars"])
	return []apiregistry.SearchResult{{Name: "busybox", StarCount: 5, IsOfficial: true}}, r.err
}

func (r *registries) Distribution(_ context.Context, name string, auth registry.Auth) (apiregistry.DistributionInspect, error) {
	r.ask("distribution", name, auth.Username)
	return apiregistry.DistributionInspect{
		Descriptor: ocispec.Descriptor{MediaType: "m", Digest: "sha256:1", Size: 2},
		Platforms:  []ocispec.Platform{{Architecture: "amd64", OS: "linux"}},
	}, r.err
}

// serveRegistries serves r as the part that talks to registries.
func serveRegistries(t *testing.T, r *registries) *fixture {
	return serveParts(t, func(p *parts) { p.registries = registryHandlers{r} })
}

func TestPullStreamsDockersMessages(t *testing.T) {
	aux := json.RawMessage(`{"Tag":"1"}`)
	r := &registries{
		say: []jsonstream.Message{
			{ID: "1", Status: "Pulling from team/app"},
			{ID: "abc", Status: "Pulling fs layer", Progress: &jsonstream.Progress{}},
			{ID: "abc", Status: "Downloading", Progress: &jsonstream.Progress{Current: 50, Total: 100}},
			{Progress: &jsonstream.Progress{}, Aux: &aux},
		},
		err: errors.New("the line was cut"),
	}
	f := serveRegistries(t, r)
	status, body := f.do("POST", "/images/create?fromImage=r.example/team/app&tag=1&platform=linux/arm64", "")
	want := `{"status":"Pulling from team/app","id":"1"}
{"status":"Pulling fs layer","progressDetail":{},"id":"abc"}
{"status":"Downloading","progressDetail":{"current":50,"total":100},"progress":"[=========================\u003e                         ]      50B/100B","id":"abc"}
{"progressDetail":{},"aux":{"Tag":"1"}}
{"errorDetail":{"message":"the line was cut"},"error":"the line was cut"}
`
	if status != 200 || strings.TrimSpace(strings.ReplaceAll(body, "\r\n", "\n")) != strings.TrimSpace(want) {
		t.Errorf("%d\n%s\nwant\n%s", status, body, want)
	}
	if got := r.asked[0]; got != "pull r.example/team/app 1 linux/arm64" {
		t.Errorf("asked %q", got)
	}
}

func TestPullErrorBeforeTheFirstMessageHasAStatus(t *testing.T) {
	r := &registries{err: fmt.Errorf("manifest for app:1 not found: %w", errdefs.ErrNotFound)}
	f := serveRegistries(t, r)
	f.expect("POST", "/images/create?fromImage=app&tag=1", "", 404, "message: manifest for app:1 not found")
	f.expect("POST", "/images/app/push?tag=1", "", 404, "message: manifest for app:1 not found")
	f.expect("POST", "/images/create?fromImage=app&tag=1&platform=a/b/c/d", "", 400, `message: "a/b/c/d": cannot parse platform specifier`)
}

func TestCredentialsOfRequests(t *testing.T) {
	r := &registries{}
	f := serveRegistries(t, r)
	header, err := authconfig.Encode(registry.Auth{Username: "ann", Password: "x"})
	if err != nil {
		t.Fatal(err)
	}
	f.header = map[string]string{"X-Registry-Auth": header}
	f.do("POST", "/images/create?fromImage=app&tag=1", "")
	f.do("POST", "/images/team/app/push?tag=1", "")
	f.do("GET", "/distribution/team/app:1/json", "")
	// What cannot be read counts as none.
	f.header = map[string]string{"X-Registry-Auth": "!"}
	f.do("POST", "/images/create?fromImage=app&tag=1", "")
	f.header = nil
	// Old clients sent them in the body of a push.
	f.do("POST", "/images/app/push", `{"username":"bob"}`)
	want := []string{"pull app 1 - ann", "push team/app 1 ann", "distribution team/app:1 ann", "pull app 1 -", "push app  bob"}
	if strings.Join(r.asked, "\n") != strings.Join(want, "\n") {
		t.Errorf("asked\n%s\nwant\n%s", strings.Join(r.asked, "\n"), strings.Join(want, "\n"))
	}
}

func TestLoginSearchDistribution(t *testing.T) {
	r := &registries{}
	f := serveRegistries(t, r)
	f.expect("POST", "/auth", `{"username":"a","password":"b","serveraddress":"r.example"}`, 200, `{"IdentityToken":"token","Status":"Login Succeeded"}`)
	f.expect("GET", `/images/search?term=busy&limit=3&filters={"stars":["3"]}`, "", 200,
		`[{"star_count":5,"is_official":true,"name":"busybox","is_automated":false,"description":""}]`)
	f.expect("GET", "/distribution/a/b/json", "", 200,
		`{"Descriptor":{"mediaType":"m","digest":"sha256:1","size":2},"Platforms":[{"architecture":"amd64","os":"linux"}]}`)
	r.err = fmt.Errorf("login attempt to https://r.example/v2/ failed with status: 401 Unauthorized: %w", errdefs.ErrUnauthenticated)
	f.expect("POST", "/auth", `{}`, 401, "message: login attempt to https://r.example/v2/ failed with status: 401 Unauthorized")
	if want := "login r.example a b|search busy 3 [3]|distribution a/b|login"; strings.Join(r.asked, "|") != want {
		t.Errorf("asked %q, want %q", strings.Join(r.asked, "|"), want)
	}
}
