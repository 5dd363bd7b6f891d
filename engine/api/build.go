package api

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"berth/engine/build"
	"berth/engine/filter"

	"github.com/docker/go-units"
	"github.com/moby/buildkit/client"
	apibuild "github.com/moby/moby/api/types/build"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/api/types/registry"
)

// builder builds images.
type builder interface {
	Build(ctx context.Context, r build.Request, body io.Reader, report build.Report) error
	Cancel(id string)
	Prune(context.Context, client.PruneInfo) (apibuild.CachePruneReport, error)
	Serve(context.Context, net.Conn) error
	Session(ctx context.Context, conn net.Conn, header map[string][]string) error
}

// buildHandlers answer /build, and /grpc and /session, with which BuildKit's clients build.
type buildHandlers struct{ builds builder }

func (b *buildHandlers) routes(rt *router) {
	rt.on("POST /build", b.build)
	rt.on("POST /build/cancel", b.cancel)
	rt.on("POST /build/prune", b.prune)
	rt.on("POST /grpc", b.grpc)
	rt.on("POST /session", b.session)
}

// build answers POST /build with progress: the classic builder's, or with ?version=2 BuildKit's. The body is the context.
// What fails before the first message has a status; later errors are messages, with the exit code of a command.
func (b *buildHandlers) build(w http.ResponseWriter, r *http.Request) error {
	req, err := buildRequest(r)
	if err != nil {
		return err
	}
	out := newProgress(w)
	// BuildKit tells of its work before it reads the context.
	if err := http.NewResponseController(w).EnableFullDuplex(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	var body io.Reader
	if r.Body != nil && r.Body != http.NoBody {
		body = r.Body
	}
	err = b.builds.Build(r.Context(), req, body, out.message)
	var failed *build.StepError
	if errors.As(err, &failed) {
		out.message(jsonstream.Message{Error: &jsonstream.Error{Code: failed.Code, Message: failed.Error()}})
		return nil
	}
	var solve *build.SolveError
	if errors.As(err, &solve) && r.Context().Err() == nil {
		// It has begun, even if nothing was said (?q=1).
		out.message(jsonstream.Message{Error: &jsonstream.Error{Message: messageOf(solve)}})
		return nil
	}
	return out.end(err)
}

// buildRequest reads the query and the headers of POST /build.
func buildRequest(r *http.Request) (req build.Request, err error) {
	q := r.URL.Query()
	if flag(q, "squash") {
		return req, invalid("squash is not supported by this engine: build in stages and copy what is wanted into the last")
	}
	switch v := q.Get("version"); v {
	case "", "1":
	case "2":
		req.BuildKit = true
	default:
		return req, invalid("invalid version %s", v)
	}
	req.Tags = q["t"]
	req.Dockerfile, req.Remote, req.Target = q.Get("dockerfile"), q.Get("remote"), q.Get("target")
	req.NoCache, req.Pull, req.Quiet = flag(q, "nocache"), flag(q, "pull"), flag(q, "q")
	req.NetworkMode, req.Session, req.ID = q.Get("networkmode"), q.Get("session"), q.Get("buildid")
	if p := q.Get("platform"); p != "" {
		if _, err := platformOf(p); err != nil {
			return req, err
		}
		req.Platform = p
	}
	if hosts := q["extrahosts"]; len(hosts) > 0 {
		// Sent as repeated values by docker's client, as one JSON list by others.
		if len(hosts) == 1 && strings.HasPrefix(hosts[0], "[") {
			if err := queryJSON(q, "extrahosts", &req.ExtraHosts); err != nil {
				return req, err
			}
		} else {
			for _, h := range hosts {
				req.ExtraHosts = append(req.ExtraHosts, strings.Split(h, ",")...)
			}
		}
	}
	for name, into := range map[string]any{
		"buildargs": &req.Args, "labels": &req.Labels, "cachefrom": &req.CacheFrom, "outputs": &req.Outputs,
	} {
		if err := queryJSON(q, name, into); err != nil {
			return req, err
		}
	}
	var ulimits []*units.Ulimit
	if err := queryJSON(q, "ulimits", &ulimits); err != nil {
		return req, err
	}
	req.Ulimits = ulimits
	p := &req.Place
	p.CgroupParent, p.CPUSetCPUs, p.CPUSetMems = q.Get("cgroupparent"), q.Get("cpusetcpus"), q.Get("cpusetmems")
	for name, into := range map[string]*int64{
		"shmsize": &req.ShmSize, "memory": &p.Memory, "memswap": &p.MemorySwap,
		"cpushares": &p.CPUShares, "cpuperiod": &p.CPUPeriod, "cpuquota": &p.CPUQuota,
	} {
		if *into, err = number64(q, name); err != nil {
			return req, err
		}
	}
	req.Auth = registryConfig(r)
	return req, nil
}

// queryJSON reads a JSON value of a query; an absent one leaves v as it is.
func queryJSON(q url.Values, name string, v any) error {
	text := q.Get(name)
	if text == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(text), v); err != nil {
		return invalid("error reading %s: %w", name, err)
	}
	return nil
}

// number64 reads an integer of a query, 0 if there is none.
func number64(q url.Values, name string) (int64, error) {
	text := q.Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, invalid("invalid value for %s: %q is not a number", name, text)
	}
	return n, nil
}

// registryConfig reads X-Registry-Config: credentials by registry. As in docker what cannot be read counts as none.
func registryConfig(r *http.Request) map[string]registry.AuthConfig {
	all := map[string]registry.AuthConfig{}
	data := base64.NewDecoder(base64.URLEncoding, strings.NewReader(r.Header.Get("X-Registry-Config")))
	if err := json.NewDecoder(data).Decode(&all); err != nil {
		return nil
	}
	return all
}

// cancel answers POST /build/cancel?id=.
func (b *buildHandlers) cancel(w http.ResponseWriter, r *http.Request) error {
	id := r.URL.Query().Get("id")
	if id == "" {
		return invalid("build ID not provided")
	}
	b.builds.Cancel(id)
	w.WriteHeader(http.StatusOK)
	return nil
}

// session answers POST /session: the connection becomes one on which the engine asks the client for files, credentials and
// secrets (HTTP/2 with gRPC, the client being the server). It lasts as long as the client holds it.
func (b *buildHandlers) session(w http.ResponseWriter, r *http.Request) error {
	conn, err := takeH2C(w, r)
	if err != nil {
		return err
	}
	// Its end is no error to tell: there is nobody left to be told.
	_ = b.builds.Session(r.Context(), conn, r.Header)
	return nil
}

// grpc answers POST /grpc: the connection becomes one of HTTP/2 with BuildKit's API.
func (b *buildHandlers) grpc(w http.ResponseWriter, r *http.Request) error {
	conn, err := takeH2C(w, r)
	if err != nil {
		return err
	}
	return b.builds.Serve(context.WithoutCancel(r.Context()), conn)
}

// takeH2C takes the connection of a request that asks for h2c and answers it.
func takeH2C(w http.ResponseWriter, r *http.Request) (net.Conn, error) {
	switch proto := r.Header.Get("Upgrade"); proto {
	case "h2c":
	case "":
		return nil, invalid("no upgrade proto in request")
	default:
		return nil, invalid("protocol %s not supported", proto)
	}
	conn, in, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, err
	}
	ahead := make([]byte, in.Reader.Buffered())
	if _, err := io.ReadFull(in.Reader, ahead); err != nil {
		conn.Close()
		return nil, err
	}
	if _, err := io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"); err != nil {
		conn.Close()
		return nil, err
	}
	return &aheadConn{Conn: conn, ahead: bytes.NewReader(ahead)}, nil
}

// aheadConn is a connection of which some bytes were read already.
type aheadConn struct {
	net.Conn
	ahead *bytes.Reader
}

func (c *aheadConn) Read(p []byte) (int, error) {
	if c.ahead.Len() > 0 {
		return c.ahead.Read(p)
	}
	return c.Conn.Read(p)
}

// prune answers POST /build/prune?all=&filters=&reserved-space=&max-used-space=&min-free-space=; keep-storage is what the
// first was called until 1.48. Filters: until, id, parent, type, description, inuse, shared, private.
func (b *buildHandlers) prune(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	filters, err := filter.Parse(q.Get("filters"))
	if err != nil {
		return err
	}
	o, err := build.PruneOptions(filters)
	if err != nil {
		return err
	}
	o.All = flag(q, "all")
	for name, into := range map[string]*int64{
		"reserved-space": &o.ReservedSpace, "max-used-space": &o.MaxUsedSpace, "min-free-space": &o.MinFreeSpace,
	} {
		if *into, err = number64(q, name); err != nil {
			return err
		}
	}
	if o.ReservedSpace == 0 {
		if o.ReservedSpace, err = number64(q, "keep-storage"); err != nil {
			return err
		}
	}
	gone, err := b.builds.Prune(r.Context(), o)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, gone)
}
