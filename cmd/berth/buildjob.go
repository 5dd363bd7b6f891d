//go:build !client

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	bk "github.com/moby/buildkit/client"
	bksession "github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/upload/uploadprovider"
	"github.com/moby/buildkit/util/entitlements"
	"github.com/moby/moby/api/types/registry"
	"github.com/moby/moby/client"
	"github.com/tonistiigi/fsutil"

	"berth/cmd/berth/connect"
	"berth/cmd/berth/credentials"
	"berth/cmd/berth/session"
	"berth/engine/build"
)

// buildJob is a build that is ready to be sent.
type buildJob struct {
	solve bk.SolveOpt
	temp  string // directory of what came by stdin; may be ""
}

func (j *buildJob) close() {
	if j.temp != "" {
		os.RemoveAll(j.temp)
	}
}

// buildJob makes a job of the flags and the context.
func (a *app) buildJob(ctx context.Context, cl *connect.Client, o *buildOptions, where string) (_ *buildJob, err error) {
	j := &buildJob{}
	defer func() {
		if err != nil {
			j.close()
		}
	}()
	s := &j.solve
	s.Frontend, s.LocalMounts = "dockerfile.v0", map[string]fsutil.FS{}
	// Where steps run can be said to engines of this machine, which are berth's: others know nothing of it.
	if s.FrontendAttrs, err = o.attrs(a.conf.Local()); err != nil {
		return nil, err
	}
	if err := a.buildContext(j, o, where); err != nil {
		return nil, err
	}
	if err := j.otherContexts(o.contexts); err != nil {
		return nil, err
	}
	if err := addHosts(ctx, cl, o.hosts, s.FrontendAttrs); err != nil {
		return nil, err
	}
	if s.Exports, err = a.buildOutputs(o); err != nil {
		return nil, err
	}
	if s.CacheImports, err = caches("cache-from", o.cacheFrom); err != nil {
		return nil, err
	}
	if s.CacheExports, err = caches("cache-to", o.cacheTo); err != nil {
		return nil, err
	}
	s.AllowedEntitlements = o.allow
	if o.network == "host" {
		s.AllowedEntitlements = append(s.AllowedEntitlements, entitlements.EntitlementNetworkHost.String())
	}
	return j, a.offer(s, o)
}

// offer adds to the session what the engine may ask for.
func (a *app) offer(s *bk.SolveOpt, o *buildOptions) error {
	file, err := credentials.Load(credentials.Path(lookupIn(a.environ)), a.environ)
	if err != nil {
		return err
	}
	s.Session = append(s.Session, build.Credentials(func(host string) (registry.AuthConfig, error) {
		return file.Get(credentials.Server(host))
	}))
	for _, one := range []struct {
		wanted bool
		make   func() (bksession.Attachable, error)
	}{{len(o.secrets) > 0, o.secretStore}, {len(o.ssh) > 0, o.agents}} {
		if !one.wanted {
			continue
		}
		provider, err := one.make()
		if err != nil {
			return err
		}
		s.Session = append(s.Session, provider)
	}
	return nil
}

// buildContext finds the context and the Dockerfile.
func (a *app) buildContext(j *buildJob, o *buildOptions, where string) error {
	s := &j.solve
	if where == "-" {
		if o.file == "-" {
			return errors.New("stdin cannot be both the context and the Dockerfile")
		}
		return a.stdinContext(j, o.file)
	}
	if strings.HasPrefix(where, "http://") || strings.HasPrefix(where, "https://") || strings.HasPrefix(where, "git://") || strings.HasPrefix(where, "git@") {
		s.FrontendAttrs["context"] = where
		if o.file != "" {
			s.FrontendAttrs["filename"] = o.file
		}
		return nil
	}
	if st, err := os.Stat(where); err != nil {
		return fmt.Errorf("the context: %w", err)
	} else if !st.IsDir() {
		return fmt.Errorf("the context %s is not a directory; name the Dockerfile with -f", where)
	}
	files, err := fsutil.NewFS(where)
	if err != nil {
		return err
	}
	s.LocalMounts["context"] = files
	name := o.file
	switch name {
	case "":
		name = filepath.Join(where, "Dockerfile")
		if _, err := os.Stat(name); errors.Is(err, os.ErrNotExist) {
			if lower := filepath.Join(where, "dockerfile"); exists(lower) {
				name = lower
			}
		}
	case "-":
		if name, err = a.stdinDockerfile(j, a.in); err != nil {
			return err
		}
	}
	if !exists(name) {
		return fmt.Errorf("there is no Dockerfile %s: name it with -f", name)
	}
	dir, err := fsutil.NewFS(filepath.Dir(name))
	if err != nil {
		return err
	}
	s.LocalMounts["dockerfile"] = dir
	s.FrontendAttrs["filename"] = filepath.Base(name)
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// stdinContext takes a tar or a Dockerfile from stdin.
func (a *app) stdinContext(j *buildJob, dockerfile string) error {
	if a.in == nil || session.IsTerminal(a.in) {
		return errors.New("stdin is a terminal: pipe a tar or a Dockerfile into it")
	}
	in := bufio.NewReaderSize(a.in, 4096)
	head, err := in.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading the context: %w", err)
	}
	s := &j.solve
	if build.IsArchive(head) {
		up := uploadprovider.New()
		s.Session = append(s.Session, up)
		s.FrontendAttrs["context"] = up.Add(io.NopCloser(in))
		if dockerfile != "" {
			s.FrontendAttrs["filename"] = dockerfile
		}
		return nil
	}
	if dockerfile != "" {
		return errors.New("stdin is a Dockerfile, and -f names another")
	}
	name, err := a.stdinDockerfile(j, in)
	if err != nil {
		return err
	}
	dir, err := fsutil.NewFS(filepath.Dir(name))
	if err != nil {
		return err
	}
	empty := filepath.Join(j.temp, "context")
	if err := os.Mkdir(empty, 0o700); err != nil {
		return err
	}
	none, err := fsutil.NewFS(empty)
	if err != nil {
		return err
	}
	s.LocalMounts["dockerfile"], s.LocalMounts["context"] = dir, none
	return nil
}

// stdinDockerfile puts a Dockerfile that is read into a directory of its own.
func (a *app) stdinDockerfile(j *buildJob, in io.Reader) (name string, err error) {
	if j.temp, err = os.MkdirTemp("", "berth-build-"); err != nil {
		return "", err
	}
	dir := filepath.Join(j.temp, "dockerfile")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", err
	}
	text, err := io.ReadAll(in)
	if err != nil {
		return "", fmt.Errorf("reading the Dockerfile: %w", err)
	}
	name = filepath.Join(dir, "Dockerfile")
	return name, os.WriteFile(name, text, 0o600)
}

// otherContexts reads --build-context.
func (j *buildJob) otherContexts(list []string) error {
	for _, text := range list {
		name, where, ok := strings.Cut(text, "=")
		if !ok {
			return fmt.Errorf("--build-context %s: it is NAME=PATH", text)
		}
		if strings.Contains(where, "://") {
			j.solve.FrontendAttrs["context:"+name] = where
			continue
		}
		files, err := fsutil.NewFS(where)
		if err != nil {
			return fmt.Errorf("--build-context %s: %w", text, err)
		}
		j.solve.LocalMounts[name] = files
		j.solve.FrontendAttrs["context:"+name] = "local:" + name
	}
	return nil
}

// addHosts reads --add-host; host-gateway is the engine's address on its default network.
func addHosts(ctx context.Context, cl *connect.Client, list []string, attrs map[string]string) error {
	var out []string
	for _, text := range list {
		name, addr, ok := strings.Cut(text, "=")
		if !ok {
			name, addr, ok = strings.Cut(text, ":")
		}
		if !ok || name == "" || addr == "" {
			return fmt.Errorf("--add-host %s: it is NAME:ADDRESS", text)
		}
		if addr == "host-gateway" {
			n, err := cl.NetworkInspect(ctx, "bridge", client.NetworkInspectOptions{})
			if err != nil {
				return err
			}
			if len(n.Network.IPAM.Config) == 0 {
				return fmt.Errorf("--add-host %s: the default network has no gateway", text)
			}
			addr = n.Network.IPAM.Config[0].Gateway.String()
		}
		out = append(out, name+"="+strings.Trim(addr, "[]"))
	}
	if len(out) > 0 {
		attrs["add-hosts"] = strings.Join(out, ",")
	}
	return nil
}
