package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"berth/cmd/berth/connect"
	"berth/cmd/berth/contexts"
	"berth/cmd/berth/credentials"
)

// contextStore is where this user's contexts are.
func (a *app) contextStore() *contexts.Store {
	return contexts.Open(filepath.Join(filepath.Dir(credentials.Path(lookupIn(a.environ))), "contexts"))
}

// dockerConfig is this user's config.json.
func (a *app) dockerConfig() (*credentials.File, error) {
	return credentials.Load(credentials.Path(lookupIn(a.environ)), a.environ)
}

// fill decides which engine is meant and completes a.conf. What was said last
// counts: a flag before the environment, an address before a name, and the
// context in use when nothing was said. A root or a state means this machine.
func (a *app) fill() error {
	name, err := a.contextName()
	if err != nil {
		return err
	}
	if name != contexts.Default {
		ctx, err := a.contextStore().Get(name)
		if err != nil {
			return err
		}
		a.useContext(ctx)
	}
	if a.conf.Host == "" && (a.conf.Root == "" || a.conf.State == "") {
		// This machine's engine is where its settings say.
		if err := a.conf.Place(connect.SettingsFiles(lookupIn(a.environ))...); err != nil {
			return err
		}
	}
	return a.conf.Fill()
}

// useContext makes a.conf that of ctx.
func (a *app) useContext(ctx contexts.Context) {
	a.conf.Host = ctx.Host
	if ctx.TLSDir != "" || ctx.SkipVerify {
		a.conf.TLS = connect.TLS{On: true, Verify: !ctx.SkipVerify, Dir: ctx.TLSDir}
	}
}

// contextName is the context to use; contexts.Default when a.conf says it all.
func (a *app) contextName() (string, error) {
	given := func(flag string) bool { return a.flags != nil && a.flags.Changed(flag) }
	env := lookupIn(a.environ)
	switch {
	case given("context") && given("host"):
		return "", errors.New("--host and --context name two engines: leave one out")
	case given("context"):
		a.conf.Host = "" // the environment's
		return a.context, nil
	case a.context != "":
		return a.context, nil
	case given("host"):
		return contexts.Default, nil
	case given("root") || given("state"):
		a.conf.Host = env("BERTH_HOST")
		return contexts.Default, nil
	case a.conf.Host != "" || a.conf.Root != "" || a.conf.State != "":
		return contexts.Default, nil
	}
	if name := env("DOCKER_CONTEXT"); name != "" {
		return name, nil
	}
	config, err := a.dockerConfig()
	if err != nil {
		// As with docker: no verb needs the file so much that it would fail for it.
		fmt.Fprintf(a.err, "WARNING: the default engine is used, whatever docker's settings say: %v\n", err)
		a.context = contexts.Default // said once
		return a.context, nil
	}
	if name := config.Context(); name != "" {
		return name, nil
	}
	return contexts.Default, nil
}
