package spec

import (
	"fmt"
	"path"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// ExecInput is what the process of an exec depends on.
type ExecInput struct {
	Root        Root
	Config      *container.Config // the container's
	HostConfig  *container.HostConfig
	Hostname    string
	User        string // "" : the container's
	Privileged  bool
	Tty         bool
	ConsoleSize *[2]uint // height, width
	Env         []string // over the container's
	WorkingDir  string   // "" : the container's
	Cmd         []string
}

// Exec returns the process of an exec in a running container.
// Errors are of kind InvalidArgument when the request is to blame.
func Exec(in ExecInput) (*specs.Process, error) {
	sec, err := parseSecurity(in.HostConfig)
	if err != nil {
		return nil, err
	}
	// As docker: user and directory of the container unless the exec has its own.
	who := in.User
	if who == "" {
		who = in.Config.User
	}
	user, home, err := LookupUser(in.Root, who, in.HostConfig.GroupAdd)
	if err != nil {
		return nil, err
	}
	// --privileged adds to what the container may, for this process alone.
	hc := in.HostConfig
	caps, err := Capabilities(hc.Privileged || in.Privileged, hc.CapAdd, hc.CapDrop)
	if err != nil {
		return nil, err
	}
	p := &specs.Process{
		Terminal:        in.Tty,
		User:            user,
		Args:            in.Cmd,
		Env:             environment(mergeEnv(in.Config.Env, in.Env), in.Hostname, home, in.Tty),
		Cwd:             in.WorkingDir,
		Capabilities:    capabilitySets(caps, user.UID),
		NoNewPrivileges: sec.noNewPrivileges,
		ApparmorProfile: sec.apparmor,
	}
	if p.Cwd == "" {
		p.Cwd = in.Config.WorkingDir
	}
	if p.Cwd == "" {
		p.Cwd = "/"
	}
	if !path.IsAbs(p.Cwd) {
		return nil, fmt.Errorf("the working directory '%s' is invalid, it needs to be an absolute path: %w", p.Cwd, errdefs.ErrInvalidArgument)
	}
	if in.Tty && in.ConsoleSize != nil {
		p.ConsoleSize = &specs.Box{Height: in.ConsoleSize[0], Width: in.ConsoleSize[1]}
	}
	return p, nil
}
