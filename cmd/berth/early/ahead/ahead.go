// Package ahead decides which role this process has and, if it is a short one
// (package early), keeps the packages that no such role uses from being initialised.
//
// The linker gives the Go runtime a list of initialisation tasks, one for each
// package that has any, in the order in which they run. In that order some eighty
// packages of the engine's and the console's libraries come before early, since the
// paths of os, reflect and golang.org/x/sys sort so high: 0.9 ms and the memory of
// their tables, in every shim. This package imports nothing that has a task, so that
// its own is one of the first; it marks those of the others as done.
//
// Which are the others' shows in the addresses of the tasks' functions: the linker puts
// a package behind all that it imports, and begins with the first import of package
// main. That is early, so what it imports lies before it and all else behind it. (It
// also brings together what the short roles run, and so saves two megabytes of pages
// that would be read around it.) Were it not the first, less would be skipped, never
// more.
//
// The verbs that only talk to an engine need more, but nothing of the engine and the
// console: package clientside, the second import of main, stands for what they do.
package ahead

// Role is what a process is started for.
type Role int

// The short roles, and Main for all that is done after package main is reached.
const (
	Main Role = iota
	Shim
	Runtime        // called as berth-runtime
	RuntimeCommand // called as berth runtime
	Init           // the first process of a container
	Client         // called as one of the verbs that talk to an engine; goes on to main
)

// Valued are the flags before the verb whose value is the next word.
var Valued = [...]string{"--root", "--state", "--host", "-H", "--context", "--tlscacert", "--tlscert", "--tlskey"}

// Verbs are those that only talk to an engine and are wanted soon. What is not here gets
// all that main imports.
var Verbs = [...]string{
	"run", "create", "start", "stop", "restart", "kill", "pause", "unpause", "rm", "ps", "logs", "exec", "attach", "wait", "diff", "cp",
	"commit", "export", "top", "stats", "port", "rename", "update", "inspect", "container", "images", "rmi", "tag", "pull", "push", "load",
	"save", "import", "history", "network", "volume", "events", "info", "version",
}

// Nameless are those of them that take no name of an image, and so never come to the
// regular expressions for such names.
var Nameless = [...]string{"exec", "stop", "kill", "pause", "unpause", "rm", "logs", "wait", "top", "port", "rename"}

// Of gives the role that a command line asks for.
func Of(args []string) Role {
	switch {
	case len(args) == 0:
		return Main
	case args[0] == "berth-shim":
		return Shim
	case args[0] == "/sbin/docker-init": // pid1.Path; importing it would bring tasks
		return Init
	case base(args[0]) == "berth-runtime":
		return Runtime
	case len(args) > 1 && args[1] == "runtime":
		return RuntimeCommand
	case callsVerb(args[1:]):
		return Client
	}
	return Main
}

// callsVerb says whether words begin with one of the verbs, behind flags with values.
func callsVerb(words []string) bool { return among(Verbs[:], verb(words)) }

// verb is the word that comes behind flags with values, "" if there is none.
func verb(words []string) string {
	for len(words) > 2 && among(Valued[:], words[0]) {
		words = words[2:]
	}
	if len(words) == 0 {
		return ""
	}
	return words[0]
}

// among is slices.Contains, whose package has a task.
func among(list []string, word string) bool {
	for _, w := range list {
		if w == word {
			return true
		}
	}
	return false
}

// base is path.Base as far as it is needed here.
func base(name string) string {
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '/' {
			return name[i+1:]
		}
	}
	return name
}
