package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"berth/engine/filter"
	"berth/engine/registry"

	"github.com/moby/moby/api/pkg/authconfig"
	"github.com/moby/moby/api/types/jsonstream"
	apiregistry "github.com/moby/moby/api/types/registry"
	"github.com/moby/moby/client/pkg/jsonmessage"
)

// registryClient is what of an engine talks to registries.
type registryClient interface {
	Pull(ctx context.Context, name, tag string, o registry.PullOptions) error
	Push(ctx context.Context, name, tag string, o registry.PushOptions) error
	Login(ctx context.Context, auth registry.Auth) (identityToken string, err error)
	Search(ctx context.Context, term string, limit int, f filter.Args, auth registry.Auth) ([]apiregistry.SearchResult, error)
	Distribution(ctx context.Context, name string, auth registry.Auth) (apiregistry.DistributionInspect, error)
}

// registryHandlers answer what is about registries; POST /images/create hands its pulls on to them.
type registryHandlers struct {
	engine registryClient
}

func (h *registryHandlers) routes(rt *router) {
	rt.on("POST /auth", h.login)
	rt.on("GET /images/search", h.search)
	rt.onNamed("POST /images/", "/push", h.push)
	rt.onNamed("GET /distribution/", "/json", h.distribution)
}

// authOf reads the credentials of X-Registry-Auth. As in docker what cannot be read counts as none: not all registries
// want any, and clients send odd things.
func authOf(r *http.Request) registry.Auth {
	auth, err := authconfig.Decode(r.Header.Get(apiregistry.AuthHeader))
	if err != nil {
		return registry.Auth{}
	}
	return *auth
}

// pull answers POST /images/create?fromImage=&tag=&platform= with progress. What fails before the first message has a
// status; later errors are messages.
func (h *registryHandlers) pull(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	platform, err := platformOf(query.Get("platform"))
	if err != nil {
		return err
	}
	out := newProgress(w)
	return out.end(h.engine.Pull(r.Context(), query.Get("fromImage"), query.Get("tag"), registry.PullOptions{
		Platform: platform, Auth: authOf(r), Report: out.message,
	}))
}

// push answers POST /images/{name}/push?tag=&platform= with progress. Clients before API 1.0's header sent the
// credentials in the body.
func (h *registryHandlers) push(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	auth := authOf(r)
	if r.Header.Get(apiregistry.AuthHeader) == "" && r.ContentLength != 0 {
		if old, err := authconfig.DecodeRequestBody(http.MaxBytesReader(w, r.Body, maxJSON)); err == nil {
			auth = *old
		}
	}
	o := registry.PushOptions{Auth: auth}
	if p := query.Get("platform"); p != "" {
		if err := json.Unmarshal([]byte(p), &o.Platform); err != nil {
			return invalid("invalid platform: %w", err)
		}
	}
	out := newProgress(w)
	o.Report = out.message
	return out.end(h.engine.Push(r.Context(), r.PathValue("name"), query.Get("tag"), o))
}

// login answers POST /auth: 200 with an identity token, if the registry gives such, or 401.
func (h *registryHandlers) login(w http.ResponseWriter, r *http.Request) error {
	var auth registry.Auth
	if err := readJSON(w, r, &auth); err != nil {
		return err
	}
	token, err := h.engine.Login(r.Context(), auth)
	if err != nil {
		return err
	}
	// Clients expect the token also when it is empty.
	return writeJSON(w, http.StatusOK, struct{ IdentityToken, Status string }{token, "Login Succeeded"})
}

// search answers GET /images/search?term=&limit=&filters=.
func (h *registryHandlers) search(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	limit, err := number(query, "limit", 0)
	if err != nil {
		return err
	}
	filters, err := filter.Parse(query.Get("filters"))
	if err != nil {
		return err
	}
	found, err := h.engine.Search(r.Context(), query.Get("term"), limit, filters, authOf(r))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, found)
}

// distribution answers GET /distribution/{name}/json with what the registry has under a name.
func (h *registryHandlers) distribution(w http.ResponseWriter, r *http.Request) error {
	found, err := h.engine.Distribution(r.Context(), r.PathValue("name"), authOf(r))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, found)
}

// progress is a stream of docker's messages, each sent at once.
type progress struct {
	w     http.ResponseWriter
	flush io.Writer
	began bool
	buf   bytes.Buffer
}

func newProgress(w http.ResponseWriter) *progress { return &progress{w: w, flush: newFlushWriter(w)} }

// progressLine is a message as docker has sent it for ten years, with the texts that older clients read instead of the
// details.
type progressLine struct {
	Stream   string               `json:"stream,omitempty"`
	Status   string               `json:"status,omitempty"`
	Detail   *jsonstream.Progress `json:"progressDetail,omitempty"`
	Progress string               `json:"progress,omitempty"`
	ID       string               `json:"id,omitempty"`
	Error    *jsonstream.Error    `json:"errorDetail,omitempty"`
	ErrorMsg string               `json:"error,omitempty"`
	Aux      *json.RawMessage     `json:"aux,omitempty"`
}

// barWidth is that of a terminal for which docker draws the bar of a message.
const barWidth = 200

// message sends one message. A client that has gone ends the request's context, which is where the work notices.
func (p *progress) message(m jsonstream.Message) {
	if !p.began {
		p.began = true
		p.w.Header().Set("Content-Type", "application/json")
		p.w.WriteHeader(http.StatusOK)
	}
	l := progressLine{Stream: m.Stream, Status: m.Status, Detail: m.Progress, ID: m.ID, Error: m.Error, Aux: m.Aux}
	if m.Progress != nil {
		l.Progress = jsonmessage.RenderTUIProgress(*m.Progress, barWidth)
	}
	if m.Error != nil {
		l.ErrorMsg = m.Error.Message
	}
	p.buf.Reset()
	if err := json.NewEncoder(&p.buf).Encode(l); err == nil {
		p.buf.Truncate(p.buf.Len() - 1)
		p.buf.WriteString("\r\n") // as docker ends its messages
		_, _ = p.flush.Write(p.buf.Bytes())
	}
}

// end reports the error of the work: as the reply, if nothing is sent yet.
func (p *progress) end(err error) error {
	if err == nil || !p.began || errors.Is(err, context.Canceled) {
		return err
	}
	p.message(jsonstream.Message{Error: &jsonstream.Error{Message: messageOf(err)}})
	return nil
}
