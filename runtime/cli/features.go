package cli

import (
	"encoding/json"

	"berth/runtime/caps"
	"berth/runtime/container"
	"berth/runtime/mount"
	"berth/runtime/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-spec/specs-go/features"
)

// features prints what the runtime can do, in the structure of the runtime
// specification (features.md). What depends on the spec's validation is asked of
// it, so that this cannot say what is not so.
func (a *app) features(values) (int, error) {
	yes, no := true, false
	linux := func(change func(l *specs.Linux)) *bool {
		if container.Supports(func(s *specs.Spec) { change(s.Linux) }) {
			return &yes
		}
		return &no
	}
	f := features.Features{
		OCIVersionMin: "1.0.0",
		OCIVersionMax: specs.Version,
		Hooks:         []string{"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"},
		MountOptions:  mount.OptionNames(),
		Linux: &features.Linux{
			Namespaces:   namespaces(),
			Capabilities: caps.Names(),
			Cgroup:       &features.Cgroup{V1: &yes, V2: &yes, Systemd: &yes, SystemdUser: &yes, Rdma: &yes},
			Seccomp:      seccompFeatures(),
			Apparmor:     &features.Apparmor{Enabled: process(func(p *specs.Process) { p.ApparmorProfile = "unconfined" })},
			Selinux:      &features.Selinux{Enabled: process(func(p *specs.Process) { p.SelinuxLabel = "a:b:c:d" })},
			IntelRdt:     &features.IntelRdt{Enabled: &yes, Schemata: &yes, Monitoring: &yes},
			MemoryPolicy: memoryPolicy(),
			NetDevices: &features.NetDevices{Enabled: linux(func(l *specs.Linux) {
				l.Namespaces = append(l.Namespaces, specs.LinuxNamespace{Type: specs.NetworkNamespace})
				l.NetDevices = map[string]specs.LinuxNetDevice{"eth0": {}}
			})},
			MountExtensions: &features.MountExtensions{IDMap: &features.IDMap{Enabled: idmap()}},
		},
		PotentiallyUnsafeConfigAnnotations: []string{"org.systemd.property."},
		Annotations: map[string]string{
			"org.opencontainers.runc.checkpoint.enabled": "true",
			"berth.version": version,
		},
	}
	b, err := json.MarshalIndent(f, "", "    ")
	if err != nil {
		return 1, err
	}
	_, err = a.stdout.Write(append(b, '\n'))
	return 0, err
}

func memoryPolicy() *features.MemoryPolicy {
	f := new(features.MemoryPolicy)
	for _, m := range []specs.MemoryPolicyModeType{specs.MpolDefault, specs.MpolBind, specs.MpolInterleave, specs.MpolWeightedInterleave,
		specs.MpolPreferred, specs.MpolPreferredMany, specs.MpolLocal} {
		f.Modes = append(f.Modes, string(m))
	}
	for _, m := range []specs.MemoryPolicyFlagType{specs.MpolFNumaBalancing, specs.MpolFRelativeNodes, specs.MpolFStaticNodes} {
		f.Flags = append(f.Flags, string(m))
	}
	return f
}

func process(change func(p *specs.Process)) *bool {
	ok := container.Supports(func(s *specs.Spec) { change(s.Process) })
	return &ok
}

func idmap() *bool {
	ok := container.Supports(func(s *specs.Spec) {
		s.Mounts = []specs.Mount{{Destination: "/x", Source: "/y", Type: "bind", Options: []string{"bind", "idmap"},
			UIDMappings: []specs.LinuxIDMapping{{Size: 1}}, GIDMappings: []specs.LinuxIDMapping{{Size: 1}}}}
	})
	return &ok
}

func namespaces() (names []string) {
	for _, t := range []specs.LinuxNamespaceType{specs.CgroupNamespace, specs.IPCNamespace, specs.MountNamespace, specs.NetworkNamespace,
		specs.PIDNamespace, specs.TimeNamespace, specs.UserNamespace, specs.UTSNamespace} {
		if t == specs.MountNamespace || container.Supports(func(s *specs.Spec) {
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: t})
			if t == specs.UserNamespace {
				s.Linux.UIDMappings = []specs.LinuxIDMapping{{HostID: 1, Size: 1}}
				s.Linux.GIDMappings = s.Linux.UIDMappings
			}
		}) {
			names = append(names, string(t))
		}
	}
	return names
}

func seccompFeatures() *features.Seccomp {
	supports := func(profile specs.LinuxSeccomp) bool {
		if profile.DefaultAction == "" {
			profile.DefaultAction = specs.ActAllow
		}
		_, err := seccomp.Compile(&profile)
		return err == nil
	}
	enabled := true
	f := &features.Seccomp{Enabled: &enabled}
	for _, action := range []specs.LinuxSeccompAction{specs.ActAllow, specs.ActErrno, specs.ActKill, specs.ActKillProcess, specs.ActKillThread,
		specs.ActLog, specs.ActNotify, specs.ActTrace, specs.ActTrap} {
		if supports(specs.LinuxSeccomp{ListenerPath: listenerFor(action), Syscalls: []specs.LinuxSyscall{{Names: []string{"getcwd"}, Action: action}}}) {
			f.Actions = append(f.Actions, string(action))
		}
	}
	for _, op := range []specs.LinuxSeccompOperator{specs.OpEqualTo, specs.OpGreaterEqual, specs.OpGreaterThan, specs.OpLessEqual,
		specs.OpLessThan, specs.OpMaskedEqual, specs.OpNotEqual} {
		if supports(specs.LinuxSeccomp{Syscalls: []specs.LinuxSyscall{{Names: []string{"getcwd"}, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{{Op: op}}}}}) {
			f.Operators = append(f.Operators, string(op))
		}
	}
	for _, arch := range seccomp.Architectures() {
		f.Archs = append(f.Archs, string(arch))
	}
	for _, flag := range []specs.LinuxSeccompFlag{"SECCOMP_FILTER_FLAG_TSYNC", specs.LinuxSeccompFlagSpecAllow, specs.LinuxSeccompFlagLog,
		specs.LinuxSeccompFlagWaitKillableRecv} {
		if supports(specs.LinuxSeccomp{Flags: []specs.LinuxSeccompFlag{flag}}) {
			f.KnownFlags = append(f.KnownFlags, string(flag))
		}
	}
	f.SupportedFlags = f.KnownFlags
	return f
}

// listenerFor is the listener that only a profile with notifications may have.
func listenerFor(action specs.LinuxSeccompAction) string {
	if action == specs.ActNotify {
		return "/run/listener.sock"
	}
	return ""
}
