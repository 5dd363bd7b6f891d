package registry

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
)

func TestProblemsSayWhatDockerSays(t *testing.T) {
	f, r := newFake(t), newRig(t, Config{RetryDelay: time.Millisecond})
	answer := func(status int, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(status)
			io.WriteString(w, body)
			return true
		}
	}
	typed := func(mediaType string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", mediaType)
			io.WriteString(w, "{}")
			return true
		}
	}
	other := func(err error) bool { return !errdefs.IsNotFound(err) }
	for _, c := range []struct {
		name string
		hook func(http.ResponseWriter, *http.Request) bool
		want string
		kind func(error) bool
	}{
		{"unknown", nil, "manifest for " + f.host + "/app:1 not found: manifest unknown: manifest unknown", errdefs.IsNotFound},
		{"denied", answer(403, `{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}`),
			"pull access denied for " + f.host + "/app, repository does not exist or may require 'docker login': denied: requested access to the resource is denied", errdefs.IsNotFound},
		// To a HEAD a registry gives no reasons.
		{"denied with a reason", answer(403, `{"errors":[{"code":"DENIED","message":"your address is blocked"}]}`), "denied: your address is blocked", errdefs.IsNotFound},
		{"denied by others", answer(403, "<html>no</html>"), "pull access denied for " + f.host + "/app, ", errdefs.IsNotFound},
		{"limited", answer(429, `{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}`), "toomanyrequests: You have reached your pull rate limit.", other},
		{"limited by others", answer(429, "slow down"), "toomanyrequests: the registry takes no more requests for now", other},
		{"broken", answer(500, "oops"), "received unexpected HTTP status: 500 Internal Server Error", other},
		{"old", typed("application/vnd.docker.distribution.manifest.v1+prettyjws"), "the manifest of " + f.host + "/app:1 is of an older format than schema 2", errdefs.IsNotImplemented},
		{"a page", typed("text/html; charset=utf-8"), f.host + " is no registry: it answers with a web page", errdefs.IsInvalidArgument},
	} {
		f.hook = c.hook
		err := r.pull(f.host+"/app:1", PullOptions{})
		if err == nil || !strings.Contains(err.Error(), c.want) || !c.kind(err) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
	f.hook = func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
	if err := r.pull(f.host+"/app:1", PullOptions{}); err == nil || err.Error() != `Head "http://`+f.host+`/v2/app/manifests/1": no basic auth credentials` {
		t.Errorf("no credentials: %v", err)
	}
	if err := r.pull("127.0.0.1:1/app:1", PullOptions{}); err == nil || err.Error() != `Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused` {
		t.Errorf("nobody there: %v", err)
	}
}

// TestPushProblems has registries that refuse with words and without.
func TestPushProblems(t *testing.T) {
	f, r := newFake(t), newRig(t, Config{RetryDelay: time.Millisecond})
	f.image("1", three(t))
	if err := r.pull(f.host+"/app:1", PullOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := r.store.Images.Tag(t.Context(), f.host+"/app:1", f.host+"/other:1"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		status     int
		body, want string
	}{
		{404, "", "received unexpected HTTP status: 404 Not Found"},
		{404, "<html>nothing here</html>", "received unexpected HTTP status: 404 Not Found"},
		{404, `{"errors":[{"code":"NAME_UNKNOWN","message":"no such project"}]}`, "name unknown: no such project"},
		{405, "", "received unexpected HTTP status: 405 Method Not Allowed"},
		{500, "oops", "received unexpected HTTP status: 500 Internal Server Error"},
	} {
		f.mu.Lock() // a request of the push before may still come
		f.hook = func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(c.status)
			io.WriteString(w, c.body)
			return true
		}
		f.mu.Unlock()
		if err := r.push(f.host+"/other:1", PushOptions{}); err == nil || err.Error() != c.want {
			t.Errorf("%d %q: error %v, want %q", c.status, c.body, err, c.want)
		}
	}
}

// TestNothingIsPushedToAPage has a server that says yes to whatever it is asked.
func TestNothingIsPushedToAPage(t *testing.T) {
	f, r := newFake(t), newRig(t, Config{RetryDelay: time.Millisecond})
	f.image("1", three(t))
	if err := r.pull(f.host+"/app:1", PullOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := r.store.Images.Tag(t.Context(), f.host+"/app:1", f.host+"/other:1"); err != nil {
		t.Fatal(err)
	}
	f.hook = func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<html>please log in</html>")
		return true
	}
	if err := r.push(f.host+"/other:1", PushOptions{}); err == nil || err.Error() != f.host+" is no registry: it answers with a web page" {
		t.Errorf("error %v", err)
	}
}

func TestUnreachable(t *testing.T) {
	untrusted := &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
	for _, c := range []struct {
		at   string
		err  error
		want string
	}{
		{"https://reg:5000/v2/app/manifests/1", untrusted, `Get "https://reg:5000/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority`},
		{"https://reg:5000/v2/app/blobs/x", http.ErrSchemeMismatch, `Get "https://reg:5000/v2/": http: server gave HTTP response to HTTPS client`},
		{"https://index.docker.io/v1/search?q=x", &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("no")}, `Head "https://index.docker.io/v1/search?q=x": dial tcp: no`},
		{"https://reg/v2/app/blobs/x", io.ErrUnexpectedEOF, `Head "https://reg/v2/app/blobs/x": unexpected EOF`},
	} {
		if err := unreachable(&url.Error{Op: "Head", URL: c.at, Err: c.err}); err.Error() != c.want {
			t.Errorf("got  %v\nwant %s", err, c.want)
		}
	}
}
