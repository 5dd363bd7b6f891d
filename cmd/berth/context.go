package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/spf13/cobra"

	"berth/cmd/berth/connect"
	"berth/cmd/berth/contexts"
	"berth/cmd/berth/output"
)

// contextRow is a line of context ls; the names are docker's.
type contextRow struct {
	Current                                  bool
	Description, DockerEndpoint, Error, Name string
}

// Mark is the name as the table shows it.
func (r contextRow) Mark() string {
	if r.Current {
		return r.Name + " *"
	}
	return r.Name
}

var contextHeaders = output.Headers{
	"Mark": "NAME", "Name": "NAME", "Current": "CURRENT", "Description": "DESCRIPTION", "DockerEndpoint": "ENGINE", "Error": "ERROR",
}

func newContext(a *app) *cobra.Command {
	c := &cobra.Command{
		Use: "context", Short: "Give engines names, and choose among them", Args: cobra.NoArgs, RunE: showHelp,
		Long: `Give engines names, and choose among them. The contexts are docker's too.

  berth context create far --docker host=ssh://me@far.example
  berth --context far ps        this once
  berth context use far         from now on`,
	}
	c.AddCommand(newContextCreate(a), newContextUpdate(a), newContextList(a), newContextInspect(a), newContextUse(a), newContextShow(a), newContextRemove(a), newContextExport(a), newContextImport(a))
	return c
}

// contextOptions are the flags of create and update.
type contextOptions struct{ description, docker string }

func (o *contextOptions) register(c *cobra.Command) {
	c.Flags().StringVar(&o.description, "description", "", "what is said of it in context ls")
	c.Flags().StringVar(&o.docker, "docker", "", "where the engine is: host=ADDRESS[,ca=FILE,cert=FILE,key=FILE][,skip-tls-verify=true]")
}

// apply puts what --docker says into ctx.
func (o *contextOptions) apply(ctx *contexts.Context) error {
	for _, pair := range strings.Split(o.docker, ",") {
		key, value, ok := strings.Cut(pair, "=")
		var err error
		switch {
		case !ok:
			err = errors.New("must be KEY=VALUE")
		case key == "host":
			ctx.Host = value
			err = connect.CheckHost(value)
		case key == "skip-tls-verify":
			ctx.SkipVerify, err = strconv.ParseBool(value)
		case contextFiles[key] != "":
			if ctx.TLS == nil {
				ctx.TLS = map[string][]byte{}
			}
			ctx.TLS[contextFiles[key]], err = os.ReadFile(value)
		default:
			err = errors.New("there are host, ca, cert, key and skip-tls-verify")
		}
		if err != nil {
			return fmt.Errorf("--docker %s: %w", pair, err)
		}
	}
	if ctx.Host == "" {
		return errors.New("--docker: an engine needs an address: host=ssh://HOST, host=tcp://ADDRESS:PORT or host=unix://PATH")
	}
	return nil
}

// contextFiles are the keys of --docker that name files, and what these are
// called in the store.
var contextFiles = map[string]string{"ca": contexts.CA, "cert": contexts.Cert, "key": contexts.Key}

func newContextCreate(a *app) *cobra.Command {
	var o contextOptions
	c := &cobra.Command{
		Use: "create [flags] NAME", Short: "Give an engine a name", Args: args(1, 1, "context create needs a name"),
		RunE: func(_ *cobra.Command, names []string) error {
			ctx := contexts.Context{Name: names[0], Description: o.description}
			if err := o.apply(&ctx); err != nil {
				return err
			}
			if err := a.contextStore().Create(ctx); err != nil {
				return err
			}
			fmt.Fprintln(a.out, ctx.Name)
			fmt.Fprintf(a.err, "Successfully created context %q\n", ctx.Name)
			return nil
		},
	}
	o.register(c)
	return c
}

func newContextUpdate(a *app) *cobra.Command {
	var o contextOptions
	c := &cobra.Command{
		Use: "update [flags] NAME", Short: "Change where a context's engine is", Args: args(1, 1, "context update needs a name"),
		RunE: func(c *cobra.Command, names []string) error {
			ctx, err := a.contextStore().Get(names[0])
			if err != nil {
				return err
			}
			if c.Flags().Changed("description") {
				ctx.Description = o.description
			}
			if c.Flags().Changed("docker") {
				if err := o.apply(&ctx); err != nil {
					return err
				}
			}
			if err := a.contextStore().Update(ctx); err != nil {
				return err
			}
			fmt.Fprintln(a.out, ctx.Name)
			fmt.Fprintf(a.err, "Successfully updated context %q\n", ctx.Name)
			return nil
		},
	}
	o.register(c)
	return c
}

func newContextList(a *app) *cobra.Command {
	var format string
	var quiet bool
	c := &cobra.Command{
		Use: "ls [flags]", Aliases: []string{"list"}, Short: "List contexts", Args: args(0, 0, "context ls takes no arguments"),
		RunE: func(*cobra.Command, []string) error {
			list, err := a.contextStore().List()
			if err != nil {
				return err
			}
			local := connect.Environment(lookupIn(a.environ))
			if err := local.Fill(); err != nil {
				return err
			}
			host := local.Host
			if host == "" {
				host = local.Socket()
			}
			// A context in use that is gone is for whoever uses it to hear.
			current, err := a.contextName()
			if err != nil {
				return err
			}
			rows := []contextRow{{Current: current == contexts.Default, Name: contexts.Default, Description: "The engine of this machine, or of the environment", DockerEndpoint: host}}
			for _, ctx := range list {
				rows = append(rows, contextRow{Current: current == ctx.Name, Name: ctx.Name, Description: ctx.Description, DockerEndpoint: ctx.Host})
			}
			if quiet {
				for _, r := range rows {
					fmt.Fprintln(a.out, r.Name)
				}
				return nil
			}
			return output.Rows(a.out, output.Spec{Format: format, Headers: contextHeaders, Table: "{{.Mark}}\t{{.Description}}\t{{.DockerEndpoint}}\t{{.Error}}"}, rows)
		},
	}
	c.Flags().StringVar(&format, "format", "", "table, json or a Go template")
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "names only")
	return c
}

func newContextUse(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "use NAME", Short: "Use a context from now on", Args: args(1, 1, "context use needs a name"),
		RunE: func(_ *cobra.Command, names []string) error {
			name := names[0]
			kept := name
			if name == contexts.Default {
				kept = ""
			} else if _, err := a.contextStore().Get(name); err != nil {
				return err
			}
			config, err := a.dockerConfig()
			if err != nil {
				return err
			}
			if err := config.UseContext(kept); err != nil {
				return err
			}
			fmt.Fprintln(a.out, name)
			fmt.Fprintf(a.err, "Current context is now %q\n", name)
			if a.conf.Host != "" {
				fmt.Fprintf(a.err, "warning: BERTH_HOST or DOCKER_HOST says otherwise and counts more: %s\n", a.conf.Host)
			}
			return nil
		},
	}
}

func newContextShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "show", Short: "Show the name of the context in use", Args: args(0, 0, "context show takes no arguments"),
		RunE: func(*cobra.Command, []string) error {
			name, err := a.contextName()
			if err == nil {
				fmt.Fprintln(a.out, name)
			}
			return err
		},
	}
}

func newContextRemove(a *app) *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use: "rm [flags] NAME...", Aliases: []string{"remove"}, Short: "Forget contexts", Args: args(1, -1, "context rm needs a name"),
		RunE: func(_ *cobra.Command, names []string) error {
			config, err := a.dockerConfig()
			if err != nil {
				return err
			}
			return a.forEach(names, func(name string) error {
				switch {
				case name == contexts.Default:
					return errors.New(`context "default" is this machine's engine and cannot be removed`)
				case name == config.Context() && !force:
					return fmt.Errorf("context %q is in use: 'berth context use default' leaves it, -f removes it all the same", name)
				}
				err := a.contextStore().Remove(name)
				if force && errdefs.IsNotFound(err) {
					err = nil
				}
				if err == nil && name == config.Context() {
					err = config.UseContext("")
				}
				return err
			})
		},
	}
	c.Flags().BoolVarP(&force, "force", "f", false, "even the one in use")
	return c
}
