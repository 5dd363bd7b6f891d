package engine

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
)

func TestFetch(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/a.tar":
			_, _ = io.WriteString(w, "archive")
		case "/moved":
			http.Redirect(w, r, "/a.tar", http.StatusFound)
		case "/secret":
			http.Error(w, "not for you", http.StatusForbidden)
		case "/broken":
			w.WriteHeader(http.StatusInternalServerError)
		default:
			http.NotFound(w, r)
		}
	}))
	defer s.Close()
	is := &Images{}
	for _, src := range []string{s.URL + "/a.tar", strings.TrimPrefix(s.URL, "http://") + "/a.tar", s.URL + "/moved"} {
		d, err := is.Fetch(t.Context(), src)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(d.Body)
		if string(b) != "archive" || err != nil || d.Size != 7 || !strings.HasPrefix(d.URL, "http://127.0.0.1:") {
			t.Errorf("%s: %q, %v, %+v", src, b, err, d)
		}
		d.Body.Close()
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	for src, want := range map[string]func(error) bool{
		s.URL + "/none":      errdefs.IsNotFound,
		s.URL + "/secret":    errdefs.IsPermissionDenied,
		s.URL + "/broken":    errdefs.IsUnknown,
		gone.URL:             errdefs.IsUnavailable,
		"ftp://127.0.0.1/a":  errdefs.IsInvalidArgument,
		"":                   errdefs.IsInvalidArgument,
		"file:///etc/passwd": errdefs.IsInvalidArgument,
	} {
		if _, err := is.Fetch(t.Context(), src); !want(err) {
			t.Errorf("%s: %v", src, err)
		}
	}
}
