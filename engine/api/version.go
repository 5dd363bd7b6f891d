package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
)

// version is a version of the Engine API. Handlers compare it to answer as that version did.
type version struct{ major, minor int }

// The versions that are answered. Newest is that of the github.com/moby/moby/api module; what changed in which version
// is in that module's docs/CHANGELOG.md.
var (
	oldest = version{1, 24}
	newest = version{1, 56}
)

func (v version) String() string { return strconv.Itoa(v.major) + "." + strconv.Itoa(v.minor) }

// before tells whether v is older than 1.minor.
func (v version) before(minor int) bool { return v.major < 1 || v.major == 1 && v.minor < minor }

// parseVersion reads "1.47".
func parseVersion(s string) (version, bool) {
	major, minor, ok := strings.Cut(s, ".")
	if !ok || len(s) > 9 {
		return version{}, false
	}
	var v version
	for _, part := range []struct {
		text string
		into *int
	}{{major, &v.major}, {minor, &v.minor}} {
		n, err := strconv.ParseUint(part.text, 10, 16)
		if err != nil {
			return version{}, false
		}
		*part.into = int(n)
	}
	return v, true
}

// cutVersion takes the "/v1.47" off the front of path. Without one the newest version is meant.
func cutVersion(path string) (v version, rest string, err error) {
	after, ok := strings.CutPrefix(path, "/v")
	if !ok {
		return newest, path, nil
	}
	segment, rest, _ := strings.Cut(after, "/")
	v, ok = parseVersion(segment)
	if !ok {
		// "/volumes" and the like.
		return newest, path, nil
	}
	switch {
	case v.major > newest.major || v.major == newest.major && v.minor > newest.minor:
		err = fmt.Errorf("client version %s is too new. Maximum supported API version is %s%w", v, newest, quiet{errdefs.ErrInvalidArgument})
	case v.before(oldest.minor):
		err = fmt.Errorf("client version %s is too old. Minimum supported API version is %s, "+
			"please upgrade your client to a newer version%w", v, oldest, quiet{errdefs.ErrInvalidArgument})
	}
	return v, "/" + rest, err
}

// versioned hands requests to next with the version prefix taken off; versionOf finds it again.
func versioned(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		v, path, err := cutVersion(r.URL.Path)
		if err != nil {
			return err
		}
		r2 := r.WithContext(context.WithValue(r.Context(), versionKey{}, v))
		u := *r.URL
		cut := len(u.Path) - len(path)
		if u.RawPath != "" && cut > 0 {
			// The prefix has no escapes that mattered: it was compared unescaped, so an escaped one is simply dropped.
			if strings.HasPrefix(u.RawPath, u.Path[:cut]) {
				u.RawPath = u.RawPath[cut:]
			} else {
				u.RawPath = ""
			}
		}
		u.Path = path
		r2.URL = &u
		return next(w, r2)
	}
}

type versionKey struct{}

// versionOf is the API version that the client of r speaks.
func versionOf(r *http.Request) version {
	if v, ok := r.Context().Value(versionKey{}).(version); ok {
		return v
	}
	return newest
}
