// Package ahead decides which role this process has and, if it is a short one
// (package early), keeps the packages that no such role uses from being initialised.
//
// The linker gives the Go runtime a list of initialisation tasks, one for each
// package that has any, in the order in which they run. In that order some eighty
// packages of the engine's and the console's libraries come before early, since the
// paths of os, reflect and golang.org/x/sys sort so high: 0.9 ms and the memory of
// their tables, in every shim. This package imports nothing that has a task, so that
// its own is one of the first; it marks those of the others as done.
package ahead

// Role is what a process is started for.
type Role int

// The short roles, and Main for all that is done after package main is reached.
const (
	Main Role = iota
	Shim
	Runtime        // called as berth-runtime
	RuntimeCommand // called as berth runtime
)

// Of gives the role that a command line asks for.
func Of(args []string) Role {
	switch {
	case len(args) == 0:
		return Main
	case args[0] == "berth-shim":
		return Shim
	case base(args[0]) == "berth-runtime":
		return Runtime
	case len(args) > 1 && args[1] == "runtime":
		return RuntimeCommand
	}
	return Main
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

// Skips tells whether the short roles do without a package. It has to be false for
// all that early imports, which a test holds, and so rather says false too often.
func Skips(pkg string) bool {
	first, rest := pkg, ""
	for i := range len(pkg) {
		if pkg[i] == '/' {
			first, rest = pkg[:i], pkg[i+1:]
			break
		}
	}
	switch first {
	case "berth":
		return !(below(rest, "runtime") || below(rest, "shim") || below(rest, "cmd/berth/early"))
	case "github.com":
		return !(below(rest, "containerd/errdefs") || below(rest, "opencontainers/runtime-spec"))
	case "golang.org":
		return !below(rest, "x/sys")
	case "archive", "compress", "crypto", "database", "debug", "flag", "go", "hash", "html", "image", "log", "mime", "net", "regexp", "text", "vendor":
		return true // of the standard library
	case "encoding":
		return rest == "xml"
	case "internal":
		return rest == "zstd"
	}
	// The standard library's paths have no dot in the first element.
	for i := range len(first) {
		if first[i] == '.' {
			return true
		}
	}
	return false
}

// below tells whether a path is that of a package or of one below it.
func below(pkg, parent string) bool {
	return len(pkg) >= len(parent) && pkg[:len(parent)] == parent && (len(pkg) == len(parent) || pkg[len(parent)] == '/')
}
