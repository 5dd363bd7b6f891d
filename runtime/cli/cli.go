// Package cli is the command line of the runtime, `berth runtime …`, which is
// that of runc: the same commands, flags, outputs and exit statuses, so that
// dockerd, containerd and podman can call it in runc's place.
//
// It runs in the early branch of the binary, before most packages are
// initialised, and so parses its flags itself and imports little.
package cli

import (
	"fmt"
	"io"
	"os"
	"path"
	"runtime"
	"strconv"

	"berth/runtime/cgroup"
	"berth/runtime/container"
	"berth/runtime/initproc"
)

// defaultRoot is where states are kept without --root.
const defaultRoot = "/run/berth/runtime"

// unknownCommand is runc's exit status for that.
const unknownCommand = 3

// app is one invocation.
type app struct {
	stdin          *os.File
	stdout, stderr *os.File
	root           string
	criu           string // the binary
	systemd        bool   // makes the cgroups
	log            *logger
}

// Main runs the command line in args, which starts with the program's name, and
// returns the exit status.
func Main(args []string) int {
	a := &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, log: &logger{out: os.Stderr}}
	code, err := a.main(args[1:])
	if err != nil {
		a.log.error(err)
		if a.log.out != os.Stderr {
			fmt.Fprintln(os.Stderr, reason(err))
		}
		if code == 0 {
			code = 1
		}
	}
	return code
}

func (a *app) main(args []string) (int, error) {
	global, err := parse(globalFlags, args, true)
	if err != nil {
		fmt.Fprintf(a.stdout, "Incorrect Usage. %v\n\n", err)
		a.help(a.stdout)
		return 1, err
	}
	switch {
	case global.has("version"):
		printVersion(a.stdout)
		return 0, nil
	case len(global.args) == 0 || global.has("help"):
		a.help(a.stdout)
		return 0, nil
	}
	if err := a.configure(global); err != nil {
		return 1, err
	}
	name, rest := global.args[0], global.args[1:]
	if name == cgroup.HoldCommand {
		_, err := io.Copy(io.Discard, a.stdin) // until whoever started us has no more use for us
		return 0, err
	}
	help := name == "help" || name == "h"
	if help && len(rest) == 0 {
		a.help(a.stdout)
		return 0, nil
	}
	if help {
		name, rest = rest[0], []string{"--help"}
	}
	for _, c := range commands() {
		if c.name == name {
			a.log.debug(fmt.Sprintf("%s %s, state in %s: %s %q", runtimeName, version, a.root, name, rest))
			return a.dispatch(c, rest)
		}
	}
	//lint:ignore ST1005 callers of runc look for it
	return unknownCommand, fmt.Errorf("No help topic for '%s'", name)
}

// configure takes the global flags.
func (a *app) configure(global values) error {
	if err := a.log.open(global.get("log"), global.get("log-format"), global.has("debug")); err != nil {
		return err
	}
	if a.criu = global.get("criu"); a.criu == "" {
		a.criu = "criu"
	}
	switch r := global.get("rootless"); r {
	case "", "auto":
	default:
		if _, err := strconv.ParseBool(r); err != nil {
			return fmt.Errorf("--rootless %q: want true, false or auto", r)
		}
	}
	a.systemd = global.has("systemd-cgroup")
	var err error
	if a.root = global.get("root"); a.root == "" {
		if a.root, err = ownRoot(); err != nil {
			return err
		}
	}
	a.root, err = absolute(a.root)
	return err
}

func (a *app) dispatch(c command, args []string) (int, error) {
	f, err := parse(append([]flag{{"help", "h", toggle, "print this help"}}, c.flags...), args, c.first)
	switch {
	case err != nil:
		fmt.Fprintf(a.stdout, "Incorrect Usage: %v\n\n", err)
		c.help(a.stdout)
		return 1, err
	case f.has("help"):
		c.help(a.stdout)
		return 0, nil
	}
	n := len(f.args)
	switch {
	case c.min == c.max && n != c.min:
		err = fmt.Errorf("%s: %q requires exactly %d argument(s)", runtimeName, c.name, c.min)
	case n < c.min:
		err = fmt.Errorf("%s: %q requires a minimum of %d argument(s)", runtimeName, c.name, c.min)
	case c.max >= 0 && n > c.max:
		err = fmt.Errorf("%s: %q requires a maximum of %d argument(s)", runtimeName, c.name, c.max)
	}
	if err != nil {
		fmt.Fprint(a.stdout, "Incorrect Usage.\n\n")
		c.help(a.stdout)
		return 1, err
	}
	switch c.name {
	case "create", "run", "exec", "restore":
		// These leave a process that comes from this one in a container.
		if !initproc.HasStub() {
			if err := seal(); err != nil {
				return 1, err
			}
		}
	}
	switch c.name {
	case "create", "run", "restore":
		// Two threads build a container.
	default:
		// Nothing is done at the same time, and a second processor would mean that
		// what one goroutine hands to another changes the thread.
		runtime.GOMAXPROCS(1)
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

// absolute makes a path absolute.
func absolute(name string) (string, error) {
	if path.IsAbs(name) {
		return path.Clean(name), nil
	}
	dir, err := os.Getwd()
	return path.Join(dir, name), err
}
