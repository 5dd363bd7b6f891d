package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"berth/cmd/berth/connect"
	"berth/cmd/berth/early/ahead"
)

// verb is a command that is only built when it is called or listed: building
// all of them costs more than some of them take to run.
type verb struct {
	name  string
	group string
	build func(*app) *cobra.Command
}

// The groups of the help text.
const (
	groupContainers = "containers"
	groupImages     = "images"
	groupEngine     = "engine"
)

// verbs are all commands but the console, which is berth without a verb.
var verbs = slices.Concat(clientVerbs, engineVerbs)

// clientVerbs talk to an engine and need nothing of it.
var clientVerbs = []verb{
	{"run", groupContainers, newRun},
	{"create", groupContainers, newCreate},
	{"start", groupContainers, newStart},
	{"stop", groupContainers, newStop},
	{"restart", groupContainers, newRestart},
	{"kill", groupContainers, newKill},
	{"pause", groupContainers, newPause},
	{"unpause", groupContainers, newUnpause},
	{"rm", groupContainers, newRemove},
	{"ps", groupContainers, newPs},
	{"logs", groupContainers, newLogs},
	{"exec", groupContainers, newExec},
	{"attach", groupContainers, newAttach},
	{"wait", groupContainers, newWait},
	{"diff", groupContainers, newDiff},
	{"cp", groupContainers, newCopy},
	{"commit", groupContainers, newCommit},
	{"export", groupContainers, newExport},
	{"top", groupContainers, newTop},
	{"stats", groupContainers, newStats},
	{"port", groupContainers, newPort},
	{"rename", groupContainers, newRename},
	{"update", groupContainers, newUpdate},
	{"inspect", groupContainers, newInspect},
	{"container", groupContainers, newContainer},
	{"images", groupImages, newImages},
	{"pull", groupImages, newPull},
	{"push", groupImages, newPush},
	{"login", groupImages, newLogin},
	{"logout", groupImages, newLogout},
	{"search", groupImages, newSearch},
	{"image", groupImages, newImage},
	{"rmi", groupImages, newRemoveImage},
	{"tag", groupImages, newTag},
	{"load", groupImages, newLoad},
	{"save", groupImages, newSave},
	{"import", groupImages, newImport},
	{"history", groupImages, newHistory},
	{"network", groupEngine, newNetwork},
	{"volume", groupEngine, newVolume},
	{"context", groupEngine, newContext},
	{"system", groupEngine, newSystem},
	{"events", groupEngine, newEvents},
	{"info", groupEngine, newInfo},
	{"version", groupEngine, newVersion},
	{"man", groupEngine, newMan},
}

// newRoot builds the tree for these arguments: all of it, or only the verb that
// they name.
func newRoot(a *app, args []string) *cobra.Command {
	a.conf = connect.Environment(lookupIn(a.environ))
	root := &cobra.Command{
		Use:   "berth [verb]",
		Short: "A container workstation",
		Long: `berth is a container workstation in one binary: a console, a container engine,
an OCI runtime and a shim. Without a verb it opens the console.

The verbs and their flags are docker's.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       berthVersion(),
		Args:          cobra.NoArgs,
		RunE:          a.console,
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetVersionTemplate("berth {{.Version}}\n")
	flags := root.PersistentFlags()
	a.flags = flags
	flags.StringVar(&a.conf.Root, "root", a.conf.Root, "directory of images and containers (BERTH_ROOT; default /var/lib/berth)")
	flags.StringVar(&a.conf.State, "state", a.conf.State, "directory of sockets and running containers (BERTH_STATE; default /run/berth)")
	flags.StringVarP(&a.conf.Host, "host", "H", a.conf.Host, "engine to talk to, e.g. unix:///run/berth/berth.sock (BERTH_HOST, DOCKER_HOST)")
	flags.StringVar(&a.context, "context", "", "engine to talk to, by the name that 'berth context create' gave it (DOCKER_CONTEXT)")
	flags.BoolVar(&a.conf.TLS.On, "tls", a.conf.TLS.On, "speak TLS with tcp:// engines (DOCKER_TLS)")
	flags.BoolVar(&a.conf.TLS.Verify, "tlsverify", a.conf.TLS.Verify, "speak TLS, and both ends prove who they are (DOCKER_TLS_VERIFY)")
	flags.StringVar(&a.conf.TLS.CA, "tlscacert", "", "certificates of who is trusted (default ca.pem in DOCKER_CERT_PATH or ~/.docker)")
	flags.StringVar(&a.conf.TLS.Cert, "tlscert", "", "certificate of this end (default cert.pem there)")
	flags.StringVar(&a.conf.TLS.Key, "tlskey", "", "key of the certificate (default key.pem there)")
	root.Flags().BoolVar(&a.plain, "plain", false, "lines to read and commands to type instead of the console: for screen readers and plain terminals")
	root.SetFlagErrorFunc(usageError)

	root.AddGroup(&cobra.Group{ID: groupContainers, Title: "Containers:"},
		&cobra.Group{ID: groupImages, Title: "Images:"},
		&cobra.Group{ID: groupEngine, Title: "Engine:"})
	wanted := named(args)
	for _, v := range verbs {
		if wanted != "" && v.name != wanted {
			continue
		}
		c := v.build(a)
		c.GroupID = v.group
		root.AddCommand(c)
	}
	root.SetCompletionCommandGroupID(groupEngine)
	if len(args) > 0 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd) {
		a.completeNames(root)
	}
	return root
}

// named is the verb that args call, "" when only the whole tree can tell.
func named(args []string) string {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		switch {
		case slices.Contains(ahead.Valued[:], arg):
			i++
		case arg == "--tls" || arg == "--tlsverify":
		case strings.HasPrefix(arg, "-"):
			if !strings.Contains(arg, "=") && !strings.HasPrefix(arg, "-H") {
				return "" // --help, --version, or unknown
			}
		default:
			for _, v := range verbs {
				if v.name == arg && arg != "man" { // that one writes of all
					return arg
				}
			}
			return ""
		}
	}
	return ""
}

// usageError is what a wrong flag says; docker's verbs that run a container
// leave with 125 for it.
func usageError(c *cobra.Command, err error) error {
	err = fmt.Errorf("%w\nrun '%s --help' for its flags", err, c.CommandPath())
	if c.Name() == "run" || c.Name() == "create" {
		return &statusError{code: exitNotRun, err: err}
	}
	return err
}

// args makes a check of the number of arguments that says how to call the verb.
func args(low, high int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, given []string) error {
		if len(given) >= low && (high < 0 || len(given) <= high) {
			return nil
		}
		return usageError(c, errors.New(what+"\nusage: "+c.UseLine()))
	}
}

// lookupIn reads variables from a list of KEY=VALUE.
func lookupIn(environ []string) func(string) string {
	return func(name string) string {
		for _, kv := range environ {
			if k, v, ok := strings.Cut(kv, "="); ok && k == name {
				return v
			}
		}
		return ""
	}
}
