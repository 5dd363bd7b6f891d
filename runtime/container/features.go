package container

import (
	"berth/runtime/seccomp"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// Supports tells whether a spec with change is one that Create knows how to
// honour. Values in it need only have the right form.
func Supports(change func(s *specs.Spec)) bool {
	s := &specs.Spec{Version: specs.Version, Process: &specs.Process{Args: []string{"true"}, Cwd: "/"}, Root: &specs.Root{Path: "rootfs"},
		Linux: &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: specs.MountNamespace}}}}
	change(s)
	if _, err := validate(s); err != nil {
		return !errdefs.IsNotImplemented(err) && !errdefs.IsInvalidArgument(err)
	}
	_, err := seccomp.Compile(s.Linux.Seccomp)
	return err == nil
}
