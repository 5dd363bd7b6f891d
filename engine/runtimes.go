package engine

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"berth/shim"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/system"
	"golang.org/x/sys/unix"
)

// runtimeName is berth's own OCI runtime in HostConfig.Runtime.
const runtimeName = "berth"

// Runtime is an OCI runtime that is another program, with runc's command line.
type Runtime struct {
	Path string   // of the program, or its name in PATH
	Args []string // before those of each call
}

// checkRuntimes says what is wrong with the runtimes. A program may still come to where
// it is looked for, at each start of a container.
func (s *Settings) checkRuntimes() error {
	for name, r := range s.Runtimes {
		switch {
		case name == "" || strings.ContainsAny(name, " \t\n"):
			return kind(errdefs.ErrInvalidArgument, "%q cannot be the name of a runtime", name)
		case name == runtimeName:
			return kind(errdefs.ErrInvalidArgument, "runtime name '%s' is reserved", name) // docker's words
		case r.Path == "":
			return kind(errdefs.ErrInvalidArgument, "runtime %s: a path must be configured", name)
		}
	}
	if !s.hasRuntime(s.defaultRuntime()) {
		return kind(errdefs.ErrInvalidArgument, "specified default runtime '%s' does not exist", s.DefaultRuntime)
	}
	return nil
}

// hasRuntime tells whether a container can be made for the runtime name.
func (s *Settings) hasRuntime(name string) bool {
	_, ok := s.Runtimes[name]
	return ok || name == runtimeName
}

func (s *Settings) defaultRuntime() string {
	if s.DefaultRuntime == "" {
		return runtimeName
	}
	return s.DefaultRuntime
}

// runtime is what a shim needs to know of the runtime name, which may be gone from the
// settings since the container was made.
func (s *Settings) runtime(name string) (shim.Runtime, error) {
	r, ok := s.Runtimes[name]
	if !ok {
		if name == runtimeName || name == "" {
			return shim.Runtime{}, nil
		}
		return shim.Runtime{}, kind(errdefs.ErrInvalidArgument, "unknown or invalid runtime name: %s", name)
	}
	path, err := exec.LookPath(r.Path)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err != nil {
		return shim.Runtime{}, kind(shim.ErrExternal, "OCI runtime create failed: runtime %s: %v", name, err)
	}
	return shim.Runtime{Path: path, Args: r.Args}, nil
}

// addRuntimes tells which runtimes there are.
func (s *Settings) addRuntimes(info *system.Info) {
	info.DefaultRuntime = s.defaultRuntime()
	info.Runtimes = map[string]system.RuntimeWithStatus{runtimeName: {Runtime: system.Runtime{Path: "berth-runtime"}}}
	for name, r := range s.Runtimes {
		info.Runtimes[name] = system.RuntimeWithStatus{Runtime: system.Runtime{Path: r.Path, Args: r.Args}}
	}
}

// runtimeList is the runtimes as docker's event of a reload has them.
func (s *Settings) runtimeList() string {
	var info system.Info
	s.addRuntimes(&info)
	var list []string
	for name, r := range info.Runtimes {
		list = append(list, fmt.Sprintf("%s:%s", name, r.Path))
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// runtimeError gives the error of an external runtime docker's text and exit code; before is what stands before it.
// ok is false for the error of something else.
func runtimeError(before string, err error) (code int, ok bool, worded error) {
	if !errors.Is(err, shim.ErrExternal) {
		return 0, false, err
	}
	text := err.Error()
	text = text[max(0, strings.Index(text, "OCI runtime ")):] + ": unknown"
	if before != "" {
		text = before + ": " + text
	}
	lower := strings.ToLower(text)
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(lower, w) {
				return true
			}
		}
		return false
	}
	// docker tells them apart in this way, and answers all but the last with 400.
	switch {
	case has(unix.EACCES.Error()):
		return 126, true, kind(errdefs.ErrInvalidArgument, "%s", text)
	case has(unix.ENOTDIR.Error()):
		return 126, true, kind(errdefs.ErrInvalidArgument, "%s: Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type", text)
	case has("executable file not found", unix.ENOENT.Error()):
		return 127, true, kind(errdefs.ErrInvalidArgument, "%s", text)
	}
	return 128, true, errors.New(text)
}
