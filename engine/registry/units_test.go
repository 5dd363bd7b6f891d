package registry

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestConfigIsChecked(t *testing.T) {
	for _, cfg := range []Config{
		{Insecure: []string{"r.example/x"}}, {Insecure: []string{"10.0.0.0/99"}}, {Mirrors: []string{"mirror.example"}},
		{Mirrors: []string{"ftp://mirror.example"}}, {Mirrors: []string{"https://mirror.example?x"}},
	} {
		if _, err := NewRemote(cfg); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
	r, err := NewRemote(Config{Insecure: []string{"r.example", "s.example:5000", "10.0.0.0/8"}})
	if err != nil {
		t.Fatal(err)
	}
	for domain, want := range map[string]bool{
		"r.example": true, "r.example:5000": true, "s.example:5000": true, "s.example": false, "10.1.2.3:5000": true, "11.1.2.3": false,
	} {
		if got := r.insecure(domain); got != want {
			t.Errorf("%s: insecure %v", domain, got)
		}
	}
}

func TestServiceConfigTellsWhatWasSet(t *testing.T) {
	r, err := NewRemote(Config{Insecure: []string{"r.example", "10.0.0.0/8"}, Mirrors: []string{"https://mirror.example"}})
	if err != nil {
		t.Fatal(err)
	}
	c := r.ServiceConfig()
	if len(c.InsecureRegistryCIDRs) != 3 || len(c.Mirrors) != 1 || c.Mirrors[0] != "https://mirror.example/" ||
		c.IndexConfigs["r.example"].Secure || !c.IndexConfigs["docker.io"].Official {
		t.Errorf("%+v", c)
	}
}

func TestDomainOf(t *testing.T) {
	for address, want := range map[string]string{
		"": dockerHub, hubAddress: dockerHub, "index.docker.io": dockerHub, "docker.io": dockerHub,
		"localhost:5000": "localhost:5000", "https://r.example/v2/": "r.example", "http://r.example:80": "r.example:80",
	} {
		if got, err := domainOf(address); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", address, got, err, want)
		}
	}
	for _, address := range []string{"https://", "/v2/", "a b"} {
		if _, err := domainOf(address); err == nil {
			t.Errorf("%q is taken for an address", address)
		}
	}
}

func TestTagsComeInPages(t *testing.T) {
	f, r := newFake(t), newRig(t, Config{})
	pages := map[string]struct{ tags, next string }{
		"": {`["1","2"]`, "/v2/app/tags/list?last=2"}, "2": {`["3"]`, "http://elsewhere.invalid/v2/app/tags/list?last=3"}, "3": {`["4"]`, ""},
	}
	f.on("/tags/list", func(w http.ResponseWriter, req *http.Request) {
		p := pages[req.URL.Query().Get("last")]
		if p.next != "" {
			w.Header().Set("Link", "<"+p.next+`>; rel="next"`)
		}
		io.WriteString(w, `{"tags":`+p.tags+`}`)
	})
	ctx, s, err := r.open(t.Context(), named(t, f.host+"/app"), Auth{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	tags, err := s.tags(ctx)
	if err != nil || len(tags) != 4 || tags[3].String() != f.host+"/app:4" {
		t.Errorf("tags %v, %v", tags, err)
	}
	// What would never end, or is no list of tags.
	for page, want := range map[string]string{`["1"]`: "circle", `["../x"]`: "has the tag", `[]`: "no tags", `3`: "decode"} {
		pages[""] = struct{ tags, next string }{page, "/v2/app/tags/list"}
		if page == `[]` {
			pages[""] = struct{ tags, next string }{page, ""}
		}
		if _, err := s.tags(ctx); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", page, err, want)
		}
	}
}

func TestSearch(t *testing.T) {
	f, r := newFake(t), newRig(t, Config{})
	var asked url.Values
	f.on("/v1/search", func(w http.ResponseWriter, req *http.Request) {
		asked = req.URL.Query()
		io.WriteString(w, `{"results":[{"name":"team/app","star_count":3,"description":"\u001b[31mred"},{"name":"b"}]}`)
	})
	found, err := r.Search(t.Context(), f.host+"/app", 1, Auth{})
	if err != nil || len(found) != 1 || found[0].Name != f.host+"/team/app" || found[0].Description != "[31mred" {
		t.Errorf("found %+v, %v", found, err)
	}
	if asked.Get("q") != "app" || asked.Get("n") != "1" {
		t.Errorf("asked %v", asked)
	}
	if _, err := r.Search(t.Context(), "x", 101, Auth{}); !errdefs.IsInvalidArgument(err) {
		t.Errorf("limit: %v", err)
	}
	f.on("/v1/search", http.NotFound)
	if _, err := r.Search(t.Context(), f.host+"/app", 1, Auth{}); !errdefs.IsNotFound(err) {
		t.Errorf("a registry without an index: %v", err)
	}
}

func TestLoginGivesAnIdentityToken(t *testing.T) {
	f, r := newFake(t), newRig(t, Config{})
	f.hook = func(w http.ResponseWriter, req *http.Request) bool {
		switch {
		case req.URL.Path == "/token":
			req.ParseForm()
			if req.Form.Get("password") != "secret" {
				w.WriteHeader(http.StatusUnauthorized)
				return true
			}
			answer := map[string]string{"access_token": "good"}
			if req.Form.Get("access_type") == "offline" {
				answer["refresh_token"] = "identity"
			}
			json.NewEncoder(w).Encode(answer)
			return true
		case req.Header.Get("Authorization") != "Bearer good":
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+f.host+`/token",service="s"`)
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}
		return false
	}
	token, err := r.Login(t.Context(), Auth{Username: "ann", Password: "secret", ServerAddress: f.host})
	if err != nil || token != "identity" {
		t.Errorf("token %q, %v", token, err)
	}
	if _, err := r.Login(t.Context(), Auth{Username: "ann", Password: "wrong", ServerAddress: f.host}); !errdefs.IsUnauthorized(err) {
		t.Errorf("wrong password: %v", err)
	}
	if _, err := r.Login(t.Context(), Auth{Username: "ann", Password: "secret", ServerAddress: "127.0.0.1:1"}); err == nil || !strings.HasPrefix(err.Error(), `Get "http://127.0.0.1:1/v2/": dial tcp`) {
		t.Errorf("nobody there: %v", err)
	}
}

func TestInspectAndManifests(t *testing.T) {
	f, r := newFake(t), newRig(t, Config{})
	m := f.put("", ocispec.MediaTypeImageManifest, f.manifestOf(three(t)))
	m.Platform = &ocispec.Platform{OS: "linux", Architecture: "amd64"}
	top := f.put("1", ocispec.MediaTypeImageIndex, ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{m}})
	got, err := r.Inspect(t.Context(), named(t, f.host+"/app:1"), Auth{})
	if err != nil || got.Descriptor.Digest != top.Digest || len(got.Platforms) != 1 || got.Platforms[0].Architecture != "amd64" {
		t.Errorf("index: %+v, %v", got, err)
	}
	all, err := r.Manifests(t.Context(), named(t, f.host+"/app:1"), Auth{})
	if err != nil || len(all) != 1 || !all[0].Listed || digest.FromBytes(all[0].Raw) != m.Digest {
		t.Errorf("manifests of an index: %+v, %v", all, err)
	}
	all, err = r.Manifests(t.Context(), named(t, f.host+"/app@"+m.Digest.String()), Auth{})
	if err != nil || len(all) != 1 || all[0].Listed || all[0].Descriptor.Platform.Architecture != "amd64" {
		t.Errorf("one manifest: %+v, %v", all, err)
	}
}

func TestErrorBody(t *testing.T) {
	for body, want := range map[string]string{
		`{"errors":[{"code":"NAME_UNKNOWN","message":"x"},{"code":"DENIED"}]}`: "name unknown: x\ndenied",
		`{"details":"incorrect username or password"}`:                         "incorrect username or password",
		`<html>`: "", `{}`: "",
		`{"errors":[{"code":"A","message":"` + strings.Repeat("x", 2000) + `"}]}`: "a: " + strings.Repeat("x", maxSaid-3) + "…",
	} {
		if got := errorBody([]byte(body)); got != want {
			t.Errorf("%.40s: %q", body, got)
		}
	}
}

// FuzzManifests decodes what a registry may send: no panic, and whatever
// passes names only blobs that can be asked for.
func FuzzManifests(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2},"layers":[]}`))
	f.Add([]byte(`{"manifests":[{"platform":{"os":"linux","architecture":"amd64"}}]}`))
	f.Add([]byte(`{"layers":null,"manifests":null}`))
	want := platforms.Default()
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, err := decodeManifest(data); err == nil {
			for _, l := range append(m.Layers, m.Config) {
				if l.Digest.Validate() != nil || l.Size <= 0 {
					t.Errorf("passed: %+v", l)
				}
			}
		}
		if index, err := decodeIndex(data); err == nil {
			if desc, err := match(index, want, "x"); err == nil && isAttestation(desc) {
				t.Errorf("chose %+v", desc)
			}
		}
		errorBody(data)
	})
}
