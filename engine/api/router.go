package api

import (
	"bufio"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"path"
	"runtime/debug"
	"strings"

	"berth/engine/api/berthapi"
	"github.com/containerd/errdefs"
)

// router dispatches to the handlers. It is a ServeMux whose misses are docker's ("page not found"), and which knows
// routes with a name of several segments in the middle (/images/team/app/json), which a pattern cannot say.
type router struct {
	mux   http.ServeMux
	named map[string]map[string]handler
}

func newRouter() *router { return &router{named: map[string]map[string]handler{}} }

// on registers h for a pattern of net/http ("GET /containers/{id}/json").
func (rt *router) on(pattern string, h handler) {
	rt.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { w.(*reply).err = h(w, r) })
}

// onNamed registers h for method prefix + name + suffix, where the name may hold slashes and is the path value "name":
// onNamed("GET /images/", "/json", h). An empty suffix is for the name alone. A longer pattern of on wins.
func (rt *router) onNamed(prefix, suffix string, h handler) {
	suffixes, ok := rt.named[prefix]
	if !ok {
		suffixes = map[string]handler{}
		rt.named[prefix] = suffixes
		rt.on(prefix+"{rest...}", func(w http.ResponseWriter, r *http.Request) error { return split(suffixes, w, r) })
	}
	suffixes[suffix] = h
}

// split finds the handler of the last segment of {rest...} among suffixes.
func split(suffixes map[string]handler, w http.ResponseWriter, r *http.Request) error {
	rest := r.PathValue("rest")
	if i := strings.LastIndexByte(rest, '/'); i > 0 {
		if h, ok := suffixes[rest[i:]]; ok {
			r.SetPathValue("name", rest[:i])
			return h(w, r)
		}
	}
	if h, ok := suffixes[""]; ok && rest != "" {
		r.SetPathValue("name", rest)
		return h(w, r)
	}
	return pageNotFound
}

// pageNotFound is docker's answer to a path or a method that it does not know.
var pageNotFound = &statusError{http.StatusNotFound, "page not found"}

// serve is the handler of all routes.
func (rt *router) serve(w http.ResponseWriter, r *http.Request) error {
	if clean := path.Clean(r.URL.Path); clean != r.URL.Path && clean+"/" != r.URL.Path {
		// The mux would redirect: an empty name (/containers//json) would become a list, and the version be lost.
		return pageNotFound
	}
	if _, pattern := rt.mux.Handler(r); pattern == "" {
		return pageNotFound
	}
	out := &reply{ResponseWriter: w}
	rt.mux.ServeHTTP(out, r)
	if out.err != nil && out.began {
		// Too late for a status, unless the handler has said the error itself.
		if !out.taken {
			return &cutOff{out.err}
		}
		return nil
	}
	return out.err
}

// cutOff is the error of an answer that has begun: what is half sent must not look whole.
type cutOff struct{ error }

// reply carries a handler's error out of the mux and knows whether an answer has begun.
type reply struct {
	http.ResponseWriter
	began, taken bool
	err          error
}

func (w *reply) WriteHeader(status int) {
	w.began = true
	w.ResponseWriter.WriteHeader(status)
}

func (w *reply) Write(b []byte) (int, error) {
	w.began = true
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *reply) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// FlushError sends what is written, the header at least.
func (w *reply) FlushError() error {
	w.began = true
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack marks the connection as no longer HTTP's.
func (w *reply) Hijack() (conn net.Conn, rw *bufio.ReadWriter, err error) {
	conn, rw, err = http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.began, w.taken = true, true
	}
	return conn, rw, err
}

// api is the outermost handler: common headers, version prefix, errors, and the log of both.
type api struct {
	next   handler
	log    *slog.Logger
	server string
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Server", a.server)
	h.Set("Api-Version", newest.String())
	h.Set("Ostype", "linux")
	h.Set("Docker-Experimental", "false")
	defer a.survive(w, r)
	err := versioned(a.next)(w, r)
	if err == nil {
		return
	}
	if cut := (*cutOff)(nil); errors.As(err, &cut) {
		if !gone(r) { // nobody else learns of it
			a.log.WarnContext(r.Context(), "an answer is cut off", "method", r.Method, "path", r.URL.Path, "error", messageOf(cut.error))
		}
		panic(http.ErrAbortHandler)
	}
	if !gone(r) && !errdefs.IsNotModified(err) {
		a.log.DebugContext(r.Context(), "answering with an error", "method", r.Method, "path", r.URL.Path, "status", statusOf(err), "error", err)
	}
	writeError(w, err)
}

// survive keeps a bug in one handler from taking the engine, and with it everybody's waits and logs, down.
func (a *api) survive(w http.ResponseWriter, r *http.Request) {
	switch p := recover(); p {
	case nil:
	case http.ErrAbortHandler:
		panic(p)
	default:
		a.log.ErrorContext(r.Context(), "panic in a handler of the API", "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
		panic(http.ErrAbortHandler)
	}
}

// marked sets the header by which clients know the routes of berth alone.
func marked(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set(berthapi.Header, berthapi.Version)
		return h(w, r)
	}
}
