package download

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"berth/engine/registry"

	"github.com/containerd/errdefs"
)

// A server that stops before or in the middle of its answer is given up.
func TestASilentServerIsGivenUp(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/middle" {
			_, _ = io.WriteString(w, "half")
			w.(http.Flusher).Flush()
		}
		<-r.Context().Done()
	}))
	defer s.Close()
	by := &http.Client{Transport: registry.Watched(http.DefaultTransport, 30*time.Millisecond)}
	if _, err := open(t.Context(), by, s.URL+"/start"); !errdefs.IsUnavailable(err) || strings.Count(err.Error(), s.URL) != 1 {
		t.Errorf("at the start: %v", err)
	}
	resp, err := open(t.Context(), by, s.URL+"/middle")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); string(b) != "half" || !errdefs.IsUnavailable(err) {
		t.Errorf("in the middle: %q, %v", b, err)
	}
	if _, ok := web.Transport.(*http.Transport); ok || web.Transport == nil {
		t.Error("nobody watches the servers that are asked")
	}
}

func TestTheAnswerDecidesTheKind(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/none":
			http.Error(w, "not here", http.StatusNotFound)
		case "/bad":
			w.WriteHeader(http.StatusBadRequest)
		case "/who":
			w.WriteHeader(http.StatusUnauthorized)
		case "/secret":
			w.WriteHeader(http.StatusForbidden)
		case "/broken":
			w.WriteHeader(http.StatusInternalServerError)
		default:
			_, _ = io.WriteString(w, r.Header.Get("Accept-Encoding"))
		}
	}))
	defer s.Close()
	for path, is := range map[string]func(error) bool{
		"/none": errdefs.IsNotFound, "/bad": errdefs.IsInvalidArgument, "/who": errdefs.IsUnauthorized,
		"/secret": errdefs.IsPermissionDenied, "/broken": errdefs.IsUnknown,
	} {
		if _, err := Open(t.Context(), s.URL+path); !is(err) || !strings.HasPrefix(err.Error(), "failed to GET "+s.URL+path+" with status ") {
			t.Errorf("%s: %v", path, err)
		}
	}
	resp, err := Open(t.Context(), s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); string(b) != "identity" || err != nil {
		t.Errorf("asked for encoding %q, %v", b, err)
	}
	if _, err := Open(t.Context(), "http://%zz"); !errdefs.IsInvalidArgument(err) {
		t.Errorf("no address: %v", err)
	}
}
