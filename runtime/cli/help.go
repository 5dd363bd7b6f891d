package cli

import (
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// runtimeName is what the runtime calls itself, also when it is called as `berth runtime`.
const runtimeName = "berth-runtime"

// version is set by the linker.
var version = "0.0.0-dev"

// printVersion writes what callers read the name and the version from: a first
// line "NAME version VERSION", then "key: value" lines.
func printVersion(w io.Writer) {
	fmt.Fprintf(w, "%s version %s\nspec: %s\ngo: %s\n", runtimeName, version, specs.Version, runtime.Version())
}

// help prints the help of the runtime.
func (a *app) help(w io.Writer) {
	fmt.Fprintf(w, "NAME:\n   %s - Open Container Initiative runtime\n\n", runtimeName)
	fmt.Fprint(w, "It runs containers from bundles: a bundle is a directory with a config.json and a root\n"+
		"file system. It takes the commands, options and state directories that runc takes.\n\n")
	fmt.Fprintf(w, "USAGE:\n   %s [global options] command [command options] [arguments...]\n\n", runtimeName)
	fmt.Fprintf(w, "VERSION:\n   %s\nspec: %s\ngo: %s\n\nCOMMANDS:\n", version, specs.Version, runtime.Version())
	for _, c := range commands() {
		fmt.Fprintf(w, "   %-12s%s\n", c.name, c.usage)
	}
	fmt.Fprintf(w, "   %-12s%s\n\nGLOBAL OPTIONS:\n", "help, h", "Shows a list of commands or help for one command")
	printFlags(w, globalFlags)
}

// help prints the help of a command.
func (c command) help(w io.Writer) {
	fmt.Fprintf(w, "NAME:\n   %s %s - %s\n\nUSAGE:\n   %s %s", runtimeName, c.name, c.usage, runtimeName, c.name)
	if len(c.flags) > 0 {
		fmt.Fprint(w, " [command options]")
	}
	fmt.Fprintf(w, " %s\n", c.args)
	if c.about != "" {
		fmt.Fprintf(w, "\nDESCRIPTION:\n   %s\n", strings.ReplaceAll(c.about, "\n", "\n   "))
	}
	if len(c.flags) > 0 {
		fmt.Fprint(w, "\nOPTIONS:\n")
		printFlags(w, c.flags)
	}
	fmt.Fprintln(w)
}

func printFlags(w io.Writer, flags []flag) {
	names, width := make([]string, len(flags)), 0
	for i, f := range flags {
		value := ""
		if f.kind != toggle {
			value = " value"
		}
		names[i] = "--" + f.name + value
		if f.short != "" {
			names[i] += ", -" + f.short + value
		}
		width = max(width, len(names[i]))
	}
	for i, f := range flags {
		fmt.Fprintf(w, "   %-*s  %s\n", width, names[i], f.usage)
	}
}
