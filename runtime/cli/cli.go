// Package cli is the command line of the runtime, `berth runtime …`, which is
// that of runc: the same commands, flags, outputs and exit statuses, so that
// dockerd, containerd and podman can call it in runc's place.
//
// It runs in the early branch of the binary, before most packages are
// initialised, and so parses its flags itself and imports little.
package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"berth/runtime/container"
	"berth/runtime/initproc"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// defaultRoot is where states are kept without --root.
const defaultRoot = "/run/berth/runtime"

// app is one invocation.
type app struct {
	stdin          *os.File
	stdout, stderr *os.File
	root           string
	log            *logger
}

// command is one of runc's commands.
type command struct {
	name, usage string
	args        string // in the usage line
	min, max    int    // number of arguments; max < 0 is any
	flags       []flag
	run         func(a *app, f values) (int, error)
}

var createFlags = []flag{
	{"bundle", "b", "path", "the bundle directory, by default the current one"},
	{"console-socket", "", "path", "unix socket that receives the master of the terminal"},
	{"pid-file", "", "path", "file to write the process ID to"},
	{"no-pivot", "", "", "do not use pivot_root; for a root file system on a ramdisk"},
	{"no-new-keyring", "", "", "keep the caller's session keyring"},
	{"preserve-fds", "", "n", "pass this many further descriptors"},
}

func commands() []command {
	return []command{
		{"create", "create a container", "<container-id>", 1, 1, createFlags, (*app).create},
		{"start", "run the command of a created container", "<container-id>", 1, 1, nil, (*app).start},
		{"run", "create and start a container", "<container-id>", 1, 1, append([]flag{
			{"detach", "d", "", "do not wait for the end of the process"},
			{"keep", "", "", "do not delete the container when it ends"},
			{"no-subreaper", "", "", "accepted for compatibility; no subreaper is used"},
		}, createFlags...), (*app).run},
		{"exec", "run a further process in a container", "<container-id> <command> [args...]", 1, -1, execFlags, (*app).exec},
		{"state", "print the state of a container", "<container-id>", 1, 1, nil, (*app).state},
		{"list", "list the containers under the root", "", 0, 0, []flag{
			{"format", "f", "table|json", "output format"},
			{"quiet", "q", "", "print IDs only"},
		}, (*app).list},
		{"ps", "list the processes in a container", "<container-id> [ps options]", 1, -1, []flag{
			{"format", "f", "table|json", "output format"},
		}, (*app).ps},
		{"kill", "send a signal (by default TERM) to a container's first process", "<container-id> [signal]", 1, 2, []flag{
			{"all", "a", "", "send it to all processes of the container"},
		}, (*app).kill},
		{"delete", "delete a container that does not run", "<container-id>", 1, 1, []flag{
			{"force", "f", "", "kill it first if it runs"},
		}, (*app).delete},
		{"pause", "freeze all processes of a container", "<container-id>", 1, 1, nil, (*app).pause},
		{"resume", "let a paused container go on", "<container-id>", 1, 1, nil, (*app).resume},
		{"spec", "write a config.json to start from", "", 0, 0, []flag{
			{"bundle", "b", "path", "directory to write it to"},
		}, (*app).spec},
	}
}

var globalFlags = []flag{
	{"debug", "", "", "log more"},
	{"log", "", "path", "log file, by default standard error"},
	{"log-format", "", "text|json", "format of the log"},
	{"root", "", "path", "directory of the containers' states, by default " + defaultRoot},
	{"criu", "", "path", "accepted for compatibility"},
	{"systemd-cgroup", "", "", "let systemd make the cgroups"},
	{"rootless", "", "bool", "accepted for compatibility"},
	{"help", "h", "", "print this help"},
	{"version", "v", "", "print the version"},
}

// Main runs the command line in args, which starts with the program's name, and
// returns the exit status.
func Main(args []string) int {
	a := &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, log: &logger{out: os.Stderr}}
	code, err := a.main(args[1:])
	if err != nil {
		a.log.error(err)
		if a.log.out != os.Stderr {
			fmt.Fprintln(os.Stderr, err)
		}
		if code == 0 {
			code = 1
		}
	}
	return code
}

func (a *app) main(args []string) (int, error) {
	global, rest, err := parse(globalFlags, args)
	if err != nil {
		return 1, err
	}
	if err := a.log.open(global.get("log"), global.get("log-format"), global.has("debug")); err != nil {
		return 1, err
	}
	if a.root = global.get("root"); a.root == "" {
		a.root = defaultRoot
	}
	if a.root, err = absolute(a.root); err != nil {
		return 1, err
	}
	switch {
	case global.has("version"):
		fmt.Fprintf(a.stdout, "berth-runtime\nspec: %s\n", specs.Version)
		return 0, nil
	case len(rest) == 0 || global.has("help") || rest[0] == "help" || rest[0] == "h":
		a.help(a.stdout)
		return 0, nil
	case global.has("systemd-cgroup"):
		return 1, errors.New("--systemd-cgroup: the systemd cgroup driver is not supported")
	}
	for _, c := range commands() {
		if c.name == rest[0] {
			return a.dispatch(c, args, rest[1:])
		}
	}
	return 3, fmt.Errorf("unknown command %q; see --help", rest[0])
}

func (a *app) dispatch(c command, all, args []string) (int, error) {
	f, _, err := parse(append([]flag{{"help", "h", "", "print this help"}}, c.flags...), args)
	switch {
	case err != nil:
		return 1, fmt.Errorf("%s: %w", c.name, err)
	case f.has("help"):
		c.help(a.stdout)
		return 0, nil
	case c.min == c.max && len(f.args) != c.min:
		c.help(a.stderr)
		return 1, fmt.Errorf("%q requires exactly %d argument(s)", c.name, c.min)
	case len(f.args) < c.min:
		c.help(a.stderr)
		return 1, fmt.Errorf("%q requires a minimum of %d argument(s)", c.name, c.min)
	case c.max >= 0 && len(f.args) > c.max:
		c.help(a.stderr)
		return 1, fmt.Errorf("%q takes at most %d argument(s)", c.name, c.max)
	}
	switch c.name {
	case "create", "run", "exec":
		// These leave a process that comes from this one in a container.
		if !initproc.HasStub() {
			if err := seal(); err != nil {
				return 1, err
			}
		}
	}
	return c.run(a, f)
}

func (a *app) load(f values) (*container.Container, error) {
	c, err := container.Load(a.root, f.args[0])
	if err == nil {
		c.Warn(a.warn)
	}
	return c, err
}

func (a *app) warn(message string) { a.log.warn(message) }

func (a *app) help(w io.Writer) {
	fmt.Fprint(w, "Run containers from OCI bundles.\n\nUsage: berth runtime [global options] command [options] [arguments...]\n\nCommands:\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-8s %s\n", c.name, c.usage)
	}
	fmt.Fprint(w, "\nGlobal options:\n")
	printFlags(w, globalFlags)
}

func (c command) help(w io.Writer) {
	fmt.Fprintf(w, "%s%s.\n\nUsage: berth runtime %s [options] %s\n", strings.ToUpper(c.usage[:1]), c.usage[1:], c.name, c.args)
	if len(c.flags) > 0 {
		fmt.Fprint(w, "\nOptions:\n")
		printFlags(w, c.flags)
	}
}

func printFlags(w io.Writer, flags []flag) {
	for _, f := range flags {
		name := "--" + f.name
		if f.short != "" {
			name += ", -" + f.short
		}
		if f.value != "" {
			name += " " + f.value
		}
		fmt.Fprintf(w, "  %-28s %s\n", name, f.usage)
	}
}

// absolute makes a path absolute.
func absolute(name string) (string, error) {
	if path.IsAbs(name) {
		return path.Clean(name), nil
	}
	dir, err := os.Getwd()
	return path.Join(dir, name), err
}
