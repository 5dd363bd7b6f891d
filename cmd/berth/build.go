//go:build !client

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	bk "github.com/moby/buildkit/client"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	solvererr "github.com/moby/buildkit/solver/errdefs"
	"github.com/moby/buildkit/util/progress/progressui"
	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
)

func newBuild(a *app) *cobra.Command {
	o := &buildOptions{}
	c := &cobra.Command{
		Use:   "build [flags] PATH | URL | -",
		Short: "Build an image from a Dockerfile",
		Long: `Build an image from a Dockerfile and the files in a directory, the context. A
URL names a git repository, a tar or a Dockerfile; "-" reads a tar or a Dockerfile from
stdin. What .dockerignore names is no part of the context.`,
		Args: args(1, 1, "build needs one context: a directory, a URL, or - for stdin"),
		RunE: func(c *cobra.Command, args []string) error { return a.build(c.Context(), o, args[0]) },
	}
	o.register(c.Flags())
	return c
}

// build has the engine build and shows how it goes.
func (a *app) build(ctx context.Context, o *buildOptions, where string) (err error) {
	cl, err := a.client(ctx)
	if err != nil {
		return err
	}
	job, err := a.buildJob(ctx, cl, o, where)
	if err != nil {
		return err
	}
	defer job.close()
	mode := progressui.DisplayMode(o.progress)
	if o.quiet {
		mode = progressui.QuietMode
	}
	display, err := progressui.NewDisplay(a.err, mode)
	if err != nil {
		return fmt.Errorf("--progress %s: %w", o.progress, err)
	}
	builder, err := bk.New(ctx, "", bk.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		return cl.DialHijack(ctx, "/grpc", "h2c", nil)
	}), bk.WithSessionDialer(func(ctx context.Context, proto string, meta map[string][]string) (net.Conn, error) {
		return cl.DialHijack(ctx, "/session", proto, meta)
	}))
	if err != nil {
		return err
	}
	defer builder.Close()
	// BuildKit's client logs what it can do without; what matters is in the errors.
	logrus.SetOutput(io.Discard)
	status := make(chan *bk.SolveStatus)
	var resp *bk.SolveResponse
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		resp, err = builder.Solve(gctx, nil, job.solve, status)
		return err
	})
	g.Go(func() error {
		// It ends with the build: what is said last is shown, too.
		_, err := display.UpdateFrom(context.WithoutCancel(gctx), status)
		return err
	})
	if err := g.Wait(); err != nil {
		return a.buildFailed(err, o.quiet)
	}
	return a.built(o, resp.ExporterResponse)
}

// built tells what was built, to whom it was asked for.
func (a *app) built(o *buildOptions, resp map[string]string) error {
	id := resp[exptypes.ExporterImageConfigDigestKey]
	if id == "" {
		id = resp[exptypes.ExporterImageDigestKey]
	}
	if o.quiet && id != "" {
		fmt.Fprintln(a.out, id)
	}
	if o.iidfile != "" && id != "" {
		if err := os.WriteFile(o.iidfile, []byte(id), 0o644); err != nil {
			return fmt.Errorf("writing the image's ID: %w", err)
		}
	}
	if o.metadata == "" {
		return nil
	}
	text, err := json.MarshalIndent(resp, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(o.metadata, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("writing the build's metadata: %w", err)
	}
	return nil
}

// buildFailed shows the lines of the Dockerfile that an error is about. It says
// nothing of what the error says itself.
func (a *app) buildFailed(err error, quiet bool) error {
	if !quiet {
		for _, s := range solvererr.Sources(err) {
			if perr := s.Print(a.err); perr != nil {
				break
			}
		}
	}
	text := strings.TrimPrefix(err.Error(), "failed to solve: ")
	if errors.Is(err, context.Canceled) {
		text = "the build was cancelled"
	}
	return &buildError{text: text, err: err}
}

// buildError is a build's error without the preface that all of BuildKit's have.
type buildError struct {
	text string
	err  error
}

func (e *buildError) Error() string { return e.text }
func (e *buildError) Unwrap() error { return e.err }
