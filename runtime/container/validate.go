package container

import (
	"fmt"
	"math"
	"path"
	"strings"

	"berth/runtime/initproc"
	"berth/runtime/netdev"
	"berth/runtime/nsenter"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// maxName is the kernel's __NEW_UTS_LEN.
const maxName = 64

// validate refuses a spec that contradicts itself or asks for what is not
// there. It fills in the parts that may be missing.
func validate(spec *specs.Spec) (nsenter.Namespaces, error) {
	invalid := func(format string, args ...any) error {
		return fmt.Errorf(format+": %w", append(args, errdefs.ErrInvalidArgument)...)
	}
	switch {
	case spec.Process == nil:
		return nsenter.Namespaces{}, invalid("process: the spec has none")
	case spec.Root == nil || spec.Root.Path == "":
		return nsenter.Namespaces{}, invalid("root.path: the spec has none")
	case spec.Linux == nil:
		spec.Linux = &specs.Linux{}
	}
	ns, err := nsenter.Parse(spec.Linux.Namespaces)
	if err != nil {
		return ns, err
	}
	switch {
	case spec.Version != "" && !strings.HasPrefix(spec.Version, "1."):
		return ns, invalid("ociVersion: %q is not a version 1 of the specification", spec.Version)
	case !ns.Own(specs.MountNamespace):
		return ns, invalid("linux.namespaces: a mount namespace is needed, or the host's files would be remounted")
	case spec.Hostname != "" && !ns.Own(specs.UTSNamespace):
		return ns, invalid("hostname: unable to set hostname without a private UTS namespace")
	case spec.Domainname != "" && !ns.Own(specs.UTSNamespace):
		return ns, invalid("domainname: unable to set it without a private UTS namespace")
	case len(spec.Hostname) > maxName:
		return ns, invalid("hostname: %q has more than %d bytes", spec.Hostname, maxName)
	case len(spec.Domainname) > maxName:
		return ns, invalid("domainname: %q has more than %d bytes", spec.Domainname, maxName)
	case len(spec.Linux.NetDevices) > 0 && !ns.Own(specs.NetworkNamespace):
		return ns, invalid("linux.netDevices: unable to move network devices without a private NET namespace")
	case len(spec.Linux.MaskedPaths)+len(spec.Linux.ReadonlyPaths) > 0 && !ns.New(specs.MountNamespace):
		return ns, invalid("linux.maskedPaths: unable to restrict sys entries without a private MNT namespace")
	}
	for i, m := range spec.Mounts {
		if m.Destination == "" {
			return ns, invalid("mounts[%d]: destination is empty", i)
		}
	}
	if err := netdev.Check(spec.Linux.NetDevices); err != nil {
		return ns, err
	}
	if err := validateSysctl(spec, ns); err != nil {
		return ns, err
	}
	if err := validateHooks(spec.Hooks); err != nil {
		return ns, err
	}
	if spec.Linux.MountLabel != "" {
		if err := needSELinux("linux.mountLabel"); err != nil {
			return ns, err
		}
	}
	if err := settings(spec).Check(); err != nil {
		return ns, err
	}
	return ns, validateProcess(spec.Process)
}

// noID leaves an ID as it is, root's, for setresuid(2) and setresgid(2).
const noID = math.MaxUint32

// maxGroups is the kernel's NGROUPS_MAX.
const maxGroups = 65536

func validateProcess(p *specs.Process) error {
	switch {
	case p == nil:
		return fmt.Errorf("process: the spec has none: %w", errdefs.ErrInvalidArgument)
	case len(p.Args) == 0 || p.Args[0] == "":
		return fmt.Errorf("process.args: no command given: %w", errdefs.ErrInvalidArgument)
	case p.Cwd == "":
		return fmt.Errorf("process.cwd: must not be empty: %w", errdefs.ErrInvalidArgument)
	case !path.IsAbs(p.Cwd):
		return fmt.Errorf("process.cwd: must be an absolute path, not %q: %w", p.Cwd, errdefs.ErrInvalidArgument)
	}
	if s := p.ConsoleSize; p.Terminal && s != nil && max(s.Height, s.Width) > math.MaxUint16 {
		return fmt.Errorf("process.consoleSize: no terminal has %d rows and %d columns: %w", s.Height, s.Width, errdefs.ErrInvalidArgument)
	}
	if p.User.UID == noID || p.User.GID == noID {
		return fmt.Errorf("process.user: %d is no user or group: %w", uint32(noID), errdefs.ErrInvalidArgument)
	}
	if n := len(p.User.AdditionalGids); n > maxGroups {
		return fmt.Errorf("process.user.additionalGids: the kernel takes %d groups, not %d: %w", maxGroups, n, errdefs.ErrInvalidArgument)
	}
	for _, list := range [][]string{p.Args, p.Env, {p.Cwd}} {
		for _, s := range list {
			if strings.ContainsRune(s, 0) {
				return fmt.Errorf("process: %q holds a NUL byte: %w", s, errdefs.ErrInvalidArgument)
			}
		}
	}
	for _, e := range p.Env {
		if i := strings.IndexByte(e, '='); i <= 0 {
			return fmt.Errorf("process.env: %q is not of the form NAME=value: %w", e, errdefs.ErrInvalidArgument)
		}
	}
	if err := initproc.CheckSchedule(p); err != nil {
		return err
	}
	return initproc.CheckLimits(p)
}
