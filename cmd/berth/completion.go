package main

import (
	"context"
	"strings"

	"github.com/moby/moby/client"
	"github.com/spf13/cobra"

	"berth/cmd/berth/connect"
)

// lister returns the names of a kind of object that an engine has.
type lister func(context.Context, *connect.Client) ([]string, error)

// completed are the verbs whose arguments are names, with where these come
// from. first says that only the first argument is one.
var completed = []struct {
	verbs string
	from  lister
	first bool
}{
	{"start rm inspect rename cp commit export diff logs wait", containersIn(true), false},
	{"stop restart kill pause unpause stats", containersIn(false), false},
	{"exec attach top port", containersIn(false), true},
	{"run create history", imageNames, true},
	{"rmi save push tag", imageNames, false},
	{"image layers,image analyze,image diff,image history,image inspect,image rm,image save,image push,image tag", imageNames, false},
	{"network inspect,network rm,network connect,network disconnect", networkNames, false},
	{"volume inspect,volume rm", volumeNames, false},
}

// completeNames makes the shell's completion offer names. It is for the calls
// of a shell alone: other commands do not pay for it.
func (a *app) completeNames(root *cobra.Command) {
	for _, c := range completed {
		paths := strings.Split(c.verbs, ",")
		if len(paths) == 1 {
			paths = strings.Fields(c.verbs)
		}
		for _, path := range paths {
			if cmd, rest, err := root.Find(strings.Fields(path)); err == nil && len(rest) == 0 && cmd != root {
				cmd.ValidArgsFunction = a.complete(c.from, c.first)
			}
		}
	}
	if cmd, _, err := root.Find([]string{"context", "use"}); err == nil {
		cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return a.contextNames(), cobra.ShellCompDirectiveNoFileComp
		}
	}
}

// complete offers what from lists. A key press starts no engine.
func (a *app) complete(from lister, first bool) cobra.CompletionFunc {
	return func(c *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
		if first && len(given) > 0 {
			return nil, cobra.ShellCompDirectiveDefault
		}
		if err := a.fill(); err != nil {
			return cobra.AppendActiveHelp(nil, message(err)), cobra.ShellCompDirectiveNoFileComp
		}
		cl, err := connect.Connect(c.Context(), a.conf, connect.Options{Version: berthVersion(), NoStart: true})
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer cl.Close()
		names, err := from(c.Context(), cl)
		if err != nil {
			return cobra.AppendActiveHelp(nil, message(err)), cobra.ShellCompDirectiveNoFileComp
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

func containersIn(all bool) lister {
	return func(ctx context.Context, cl *connect.Client) ([]string, error) {
		res, err := cl.ContainerList(ctx, client.ContainerListOptions{All: all})
		var names []string
		for _, c := range res.Items {
			for _, n := range c.Names {
				names = append(names, strings.TrimPrefix(n, "/"))
			}
		}
		return names, err
	}
}

func imageNames(ctx context.Context, cl *connect.Client) ([]string, error) {
	res, err := cl.ImageList(ctx, client.ImageListOptions{})
	var names []string
	for _, i := range res.Items {
		for _, tag := range i.RepoTags {
			names = append(names, strings.TrimSuffix(tag, ":latest"))
		}
	}
	return names, err
}

func networkNames(ctx context.Context, cl *connect.Client) ([]string, error) {
	res, err := cl.NetworkList(ctx, client.NetworkListOptions{})
	var names []string
	for _, n := range res.Items {
		names = append(names, n.Name)
	}
	return names, err
}

func volumeNames(ctx context.Context, cl *connect.Client) ([]string, error) {
	res, err := cl.VolumeList(ctx, client.VolumeListOptions{})
	var names []string
	for _, v := range res.Items {
		names = append(names, v.Name)
	}
	return names, err
}

func (a *app) contextNames() []string {
	list, err := a.contextStore().List()
	if err != nil {
		return cobra.AppendActiveHelp(nil, message(err))
	}
	names := []string{"default"}
	for _, c := range list {
		names = append(names, c.Name)
	}
	return names
}
