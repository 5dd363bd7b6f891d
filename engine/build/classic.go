package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	controlapi "github.com/moby/buildkit/api/services/control"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/util/entitlements"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/api/types/registry"
	"github.com/tonistiigi/fsutil"
	"golang.org/x/sync/errgroup"
)

// Request is a build as POST /build asks for it.
type Request struct {
	Tags        []string
	Dockerfile  string // in the context; "" is Dockerfile
	Remote      string // where the context is, if it is not sent along: http://, git://, client-session or upload-request
	Args        map[string]*string
	Labels      map[string]string
	Target      string
	Platform    string
	NoCache     bool
	Pull        bool
	Quiet       bool
	NetworkMode string
	ExtraHosts  []string // name:address
	ShmSize     int64
	Ulimits     []*container.Ulimit
	CacheFrom   []string
	Place       Place
	Auth        map[string]registry.AuthConfig // X-Registry-Config

	// BuildKit has the client told BuildKit's own progress; its session has the
	// context, if Remote says so, the credentials and secrets.
	BuildKit bool
	Session  string
	ID       string // for Cancel
	Outputs  []Output
}

// Output is where a result goes, in the terms of BuildKit.
type Output struct {
	Type  string
	Attrs map[string]string
}

// Report is called with each message for the client.
type Report func(jsonstream.Message)

// sessionRemote is the Remote of a context that the session has.
const sessionRemote = "client-session"

// Build builds an image; context is a tar, or a Dockerfile by itself. It returns
// after all progress was reported. An error of a step is one of type *StepError.
func (b *Builder) Build(ctx context.Context, r Request, body io.Reader, report Report) error {
	if id, upload := strings.CutPrefix(r.ID, uploadID); upload && r.BuildKit {
		return b.bodies.send(ctx, id, body)
	}
	attrs, err := b.attrs(r)
	if err != nil {
		return err
	}
	exports, err := r.exports()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if r.ID == "" {
		r.ID = newID()[:32]
	}
	if !b.enter(r.ID, cancel) {
		return fmt.Errorf("build with id %s already running: %w", r.ID, errdefs.ErrConflict)
	}
	defer b.leave(r.ID)
	c, err := client.New(ctx, "", client.WithContextDialer(b.dial), client.WithSessionDialer(b.dialSession))
	if err != nil {
		return fmt.Errorf("build: %w", err)
	}
	defer c.Close()
	if r.BuildKit {
		return b.withSession(ctx, c, r, attrs, exports, body, report)
	}
	return b.withContext(ctx, c, r, attrs, exports, body, report)
}

// exports are the outputs of a request: an image, if it does not say.
func (r *Request) exports() ([]client.ExportEntry, error) {
	var names []string
	for _, tag := range r.Tags {
		named, err := reference.ParseNormalizedNamed(tag)
		if err != nil {
			return nil, fmt.Errorf("invalid reference format: %q: %w: %w", tag, err, errdefs.ErrInvalidArgument)
		}
		if _, ok := named.(reference.Digested); ok {
			return nil, fmt.Errorf("build tag cannot contain a digest: %w", errdefs.ErrInvalidArgument)
		}
		if name := reference.TagNameOnly(named).String(); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	image := client.ExportEntry{Type: exporterMoby, Attrs: map[string]string{}}
	if len(names) > 0 {
		image.Attrs["name"] = strings.Join(names, ",")
	}
	if len(r.Outputs) > 1 {
		return nil, fmt.Errorf("multiple outputs are not supported: %w", errdefs.ErrInvalidArgument)
	}
	for _, o := range r.Outputs {
		if o.Type != exporterMoby && !r.BuildKit {
			return nil, fmt.Errorf("output of type %q needs BuildKit's client: %w", o.Type, errdefs.ErrInvalidArgument)
		}
		out := client.ExportEntry{Type: o.Type, Attrs: maps.Clone(o.Attrs)}
		if out.Type == exporterMoby || out.Type == "image" || out.Type == "docker" && len(o.Attrs) == 0 {
			if out.Attrs == nil {
				out.Attrs = map[string]string{}
			}
			if _, ok := out.Attrs["name"]; !ok {
				out.Attrs["name"] = image.Attrs["name"]
			}
			if out.Type == "docker" {
				out.Type = exporterMoby
			}
		}
		image = out
	}
	return []client.ExportEntry{image}, nil
}

// withContext builds from a context that came with the request, and tells of it as
// the classic builder does.
func (b *Builder) withContext(ctx context.Context, c *client.Client, r Request, attrs map[string]string, exports []client.ExportEntry, body io.Reader, report Report) (err error) {
	src, err := b.receive(ctx, r, body, report)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.close()) }()
	if src.dockerfile != "" {
		attrs["filename"] = src.dockerfile
	}
	name := attrs["filename"]
	if name == "" {
		name = "Dockerfile"
	}
	plan, err := src.plan(name, r.Target)
	if err != nil {
		return err
	}
	files, err := fsutil.NewFS(src.dir)
	if err != nil {
		return err
	}
	// The classic builder knows one language; a frontend that a comment names is not fetched.
	attrs["cmdline"] = "classic"
	out := &classic{plan: plan, report: report, quiet: r.Quiet, local: b.localID}
	began := time.Now()
	status := make(chan *client.SolveStatus)
	var g errgroup.Group
	g.Go(func() error {
		for s := range status {
			out.update(s)
		}
		return nil
	})
	resp, err := c.Solve(ctx, nil, client.SolveOpt{
		Frontend: "dockerfile.v0", FrontendAttrs: attrs, Exports: exports, Ref: r.ID,
		// Each context is a new one: files that look alike are not the same.
		SharedKey:           r.ID,
		LocalMounts:         map[string]fsutil.FS{"context": files, "dockerfile": files},
		Session:             []session.Attachable{credentials(r.Auth)},
		AllowedEntitlements: []string{entitlements.EntitlementNetworkHost.String()},
	}, status)
	_ = g.Wait()
	b.mu.Lock()
	b.sent = append(b.sent, span{began, time.Now()})
	b.mu.Unlock()
	perr := b.forgetSent(context.WithoutCancel(ctx))
	if err != nil {
		return errors.Join(out.failed(err), perr)
	}
	out.done(resp.ExporterResponse[exptypes.ExporterImageConfigDigestKey], exports[0].Attrs["name"])
	return perr
}

// span is when a classic build was under way.
type span struct{ from, to time.Time }

// forgetSent removes what was sent to classic builds and nothing uses: nothing is sent
// to them again. BuildKit lets go of it a moment after their end, and does not tell
// whose it is; what it has of another build at the same time will be sent once more.
func (b *Builder) forgetSent(ctx context.Context) error {
	b.mu.Lock()
	b.sent = slices.DeleteFunc(b.sent, func(s span) bool { return time.Since(s.to) > time.Hour })
	spans := slices.Clone(b.sent)
	b.mu.Unlock()
	if len(spans) == 0 {
		return nil
	}
	all, err := b.usage(ctx, []string{"type==" + string(client.UsageRecordTypeLocalSource)})
	if err != nil {
		return fmt.Errorf("list what was sent to build: %w", err)
	}
	for _, u := range all {
		in := func(s span) bool { return !u.CreatedAt.Before(s.from) && !u.CreatedAt.After(s.to) }
		if u.InUse || !slices.ContainsFunc(spans, in) {
			continue
		}
		if _, err := b.prune(ctx, client.PruneInfo{All: true, Filter: []string{"id==" + u.ID}}); err != nil {
			return err
		}
	}
	return nil
}

// withSession builds with what a client's session has, or with a context that is sent, and
// tells of it in BuildKit's own messages.
func (b *Builder) withSession(ctx context.Context, c *client.Client, r Request, attrs map[string]string, exports []client.ExportEntry, body io.Reader, report Report) error {
	if r.Remote == uploadRemote {
		sent, done, err := b.bodies.await(ctx, r.ID)
		if err != nil {
			return err
		}
		defer done()
		r.Remote, body = "", sent
	}
	switch {
	case r.Remote == sessionRemote:
	case r.Remote != "":
		attrs["context"] = r.Remote
	case body == nil:
		return fmt.Errorf("build: there is no context: send a tar, or name one as 'remote': %w", errdefs.ErrInvalidArgument)
	default:
		address, forget := b.bodies.offer(body)
		defer forget()
		attrs["context"] = address
	}
	req := &controlapi.SolveRequest{
		Ref: r.ID, Session: r.Session, Frontend: "dockerfile.v0", FrontendAttrs: attrs,
		Entitlements: []string{entitlements.EntitlementNetworkHost.String()},
		Exporters:    []*controlapi.Exporter{{Type: exports[0].Type, Attrs: exports[0].Attrs}},
	}
	control := c.ControlClient()
	g, gctx := errgroup.WithContext(ctx)
	ended := make(chan struct{})
	g.Go(func() error {
		defer close(ended)
		resp, err := control.Solve(gctx, req)
		if err != nil {
			return err
		}
		if id := resp.ExporterResponse[exptypes.ExporterImageConfigDigestKey]; id != "" {
			report(jsonstream.Message{ID: "moby.image.id", Aux: rawJSON(map[string]string{"ID": id})})
		}
		return nil
	})
	g.Go(func() error { return trace(context.WithoutCancel(ctx), control, r.ID, ended, report) })
	return g.Wait()
}

// rawJSON encodes what cannot fail to be.
func rawJSON(v any) *json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and bytes are JSON
	}
	raw := json.RawMessage(b)
	return &raw
}

// dialSession opens a session with the builder itself.
func (b *Builder) dialSession(ctx context.Context, _ string, meta map[string][]string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	b.served.Go(func() {
		// Its end is that of the build.
		_ = b.sessions.HandleConn(ctx, theirs, meta)
	})
	return ours, nil
}

// localID is the ID of a local image; "" if there is none.
func (b *Builder) localID(ctx context.Context, ref string) string {
	img, err := b.opts.Store.Images.Resolve(ctx, ref)
	if err != nil {
		return ""
	}
	return img.ID.String()
}

// Cancel ends a build by its ID; one that does not run is none.
func (b *Builder) Cancel(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if cancel := b.builds[id]; cancel != nil {
		cancel()
	}
}

// enter takes note of a build; false if its ID is another's.
func (b *Builder) enter(id string, cancel context.CancelFunc) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.builds[id] != nil {
		return false
	}
	b.builds[id] = cancel
	return true
}

func (b *Builder) leave(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.builds, id)
}
