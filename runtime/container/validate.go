package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"berth/runtime/initproc"
	"berth/runtime/netdev"
	"berth/runtime/nsenter"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// LoadSpec reads the config.json of a bundle.
func LoadSpec(bundle string) (*specs.Spec, error) {
	name := path.Join(bundle, "config.json")
	b, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("JSON specification file %s not found: %w", name, errdefs.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read the spec: %w", err)
	}
	var spec specs.Spec
	if err := json.Unmarshal(b, &spec); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(err.Error(), "unexpected end of JSON") {
			return nil, fmt.Errorf("%s is cut off after %d bytes: %w", name, len(b), errdefs.ErrInvalidArgument)
		}
		return nil, fmt.Errorf("%s: %w: %w", name, err, errdefs.ErrInvalidArgument)
	}
	return &spec, nil
}

// validate refuses a spec that contradicts itself or asks for what is not
// there. It fills in the parts that may be missing.
func validate(spec *specs.Spec) (nsenter.Namespaces, error) {
	invalid := func(format string, args ...any) error {
		return fmt.Errorf(format+": %w", append(args, errdefs.ErrInvalidArgument)...)
	}
	if spec.Linux == nil {
		spec.Linux = &specs.Linux{}
	}
	ns, err := nsenter.Parse(spec.Linux.Namespaces)
	if err != nil {
		return ns, err
	}
	switch {
	case !strings.HasPrefix(spec.Version, "1."):
		return ns, invalid("ociVersion: %q is not a version 1", spec.Version)
	case !ns.Own(specs.MountNamespace):
		return ns, invalid("linux.namespaces: a mount namespace is needed, or the host's files would be remounted")
	case spec.Hostname != "" && !ns.Own(specs.UTSNamespace):
		return ns, invalid("hostname: unable to set hostname without a private UTS namespace")
	case spec.Domainname != "" && !ns.Own(specs.UTSNamespace):
		return ns, invalid("domainname: unable to set it without a private UTS namespace")
	case len(spec.Hostname) > 64:
		return ns, invalid("hostname: %q has more than 64 bytes", spec.Hostname)
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
