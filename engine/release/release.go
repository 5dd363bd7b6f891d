// Package release says which berth this is. Clients ask it too, so it imports nothing of the engine.
package release

import (
	"runtime"
	"runtime/debug"
	"strings"
)

// These are set by the linker (-X berth/engine/release.version=1.2.3): the Makefile builds without the toolchain's own
// stamp, so that the same sources make the same file wherever they lie.
var version, commit, built string

// Build says which berth this is.
type Build struct {
	Version string // "1.2.3", or what the Go toolchain made of an untagged commit
	Commit  string // of git, "" if unknown; "+dirty" is appended for changed sources
	Time    string // of the commit, RFC 3339
	Go      string
}

// Version is This().Version; each client says it, and what the toolchain wrote names all modules, which takes time to
// read.
func Version() string {
	if version != "" {
		return version
	}
	return This().Version
}

// This reads what the linker, or else the Go toolchain, wrote into the executable.
func This() Build {
	b := Build{Version: "0.0.0-dev", Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if version != "" {
		b.Version = version
	} else if v := info.Main.Version; v != "" && v != "(devel)" {
		b.Version = strings.TrimPrefix(v, "v")
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value + b.Commit
		case "vcs.time":
			b.Time = s.Value
		case "vcs.modified":
			if s.Value == "true" {
				b.Commit += "+dirty"
			}
		}
	}
	if commit != "" {
		b.Commit, b.Time = commit, built
	}
	return b
}
