package registry

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
)

// authorizations collects what a server is shown.
func authorizations(t *testing.T, h http.HandlerFunc) (host string, seen *[]string) {
	seen = new([]string)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a := r.Header.Get("Authorization"); a != "" {
			*seen = append(*seen, a)
		}
		h(w, r)
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://"), seen
}

func TestRedirectsGetNoCredentials(t *testing.T) {
	f, r := newFake(t), newRig(t, Config{})
	f.image("1", three(t))
	// Another port of the same host: net/http alone would pass them on.
	elsewhere, seen := authorizations(t, func(w http.ResponseWriter, req *http.Request) {
		f.mu.Lock()
		data := f.blobs[digest.Digest(strings.TrimPrefix(req.URL.Path, "/"))]
		f.mu.Unlock()
		w.Write(data)
	})
	f.hook = func(w http.ResponseWriter, req *http.Request) bool {
		if user, password, ok := req.BasicAuth(); !ok || user != "ann" || password != "secret" {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}
		if _, id, ok := strings.Cut(req.URL.Path, "/blobs/"); ok {
			http.Redirect(w, req, "http://"+elsewhere+"/"+id, http.StatusTemporaryRedirect)
			return true
		}
		return false
	}
	if err := r.pull(f.host+"/app:1", PullOptions{Auth: Auth{Username: "ann", Password: "secret"}}); err != nil {
		t.Fatal(err)
	}
	if len(*seen) != 0 {
		t.Errorf("the other host was shown %q", *seen)
	}
}

func TestMirrorsGetNoCredentials(t *testing.T) {
	mirror := newFake(t)
	desc := mirror.image("1", three(t))
	var shown []string
	mirror.hook = func(_ http.ResponseWriter, req *http.Request) bool {
		if a := req.Header.Get("Authorization"); a != "" {
			shown = append(shown, a)
		}
		return false
	}
	r := newRig(t, Config{Mirrors: []string{"http://" + mirror.host}})
	if err := r.pull("docker.io/library/app:1", PullOptions{Auth: Auth{Username: "ann", Password: "secret"}}); err != nil {
		t.Fatal(err)
	}
	if len(shown) != 0 {
		t.Errorf("the mirror was shown %q", shown)
	}
	if _, err := r.store.Images.Resolve(t.Context(), "app@"+desc.Digest.String()); err != nil {
		t.Errorf("the image has not got its own name: %v", err)
	}
}

func TestChallengesGoRoundNoCircle(t *testing.T) {
	for _, challenge := range []string{`Basic realm="x"`, `Bearer realm="http://HOST/token",service="s"`, `Negotiate`, ``} {
		f, r := newFake(t), newRig(t, Config{})
		f.hook = func(w http.ResponseWriter, req *http.Request) bool {
			if req.URL.Path == "/token" {
				io.WriteString(w, `{"token":"t"}`)
				return true
			}
			w.Header().Set("WWW-Authenticate", strings.ReplaceAll(challenge, "HOST", f.host))
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}
		err := r.pull(f.host+"/app:1", PullOptions{Auth: Auth{Username: "ann", Password: "wrong"}})
		if err == nil || len(f.requests()) > 20 {
			t.Errorf("%q: error %v after %d requests", challenge, err, len(f.requests()))
		}
	}
}

func TestTokens(t *testing.T) {
	f, r := newFake(t), newRig(t, Config{})
	f.image("1", three(t))
	var grants []string
	f.hook = func(w http.ResponseWriter, req *http.Request) bool {
		switch {
		case req.URL.Path == "/token":
			req.ParseForm()
			grants = append(grants, req.Form.Get("grant_type")+" "+req.Form.Get("username")+req.Form.Get("refresh_token")+" "+req.Form.Get("scope"))
			json.NewEncoder(w).Encode(map[string]string{"access_token": "good", "token": "good"})
			return true
		case req.Header.Get("Authorization") != "Bearer good":
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+f.host+`/token",service="s",scope="repository:app:pull"`)
			w.WriteHeader(http.StatusUnauthorized)
			return true
		}
		return false
	}
	for _, auth := range []Auth{{}, {Username: "ann", Password: "secret"}, {IdentityToken: "id"}, {Auth: base64.StdEncoding.EncodeToString([]byte("bob:x"))}} {
		if _, err := r.Inspect(t.Context(), named(t, f.host+"/app:1"), auth); err != nil {
			t.Errorf("%+v: %v", auth, err)
		}
	}
	want := []string{"  repository:app:pull", "password ann repository:app:pull", "refresh_token id repository:app:pull", "password bob repository:app:pull"}
	if strings.Join(grants, "|") != strings.Join(want, "|") {
		t.Errorf("grants %q, want %q", grants, want)
	}
	// A token that the client has already.
	if _, err := r.Inspect(t.Context(), named(t, f.host+"/app:1"), Auth{RegistryToken: "good"}); err != nil || len(grants) != 4 {
		t.Errorf("registry token: %v, %d grants", err, len(grants))
	}
}
