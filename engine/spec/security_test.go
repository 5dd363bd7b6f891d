package spec

import (
	"slices"
	"testing"

	"github.com/containerd/errdefs"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestPrivileged(t *testing.T) {
	s := build(t, func(in *Input) { in.HostConfig.Privileged = true })
	if s.Linux.Seccomp != nil || len(s.Linux.MaskedPaths) > 0 || len(s.Linux.ReadonlyPaths) > 0 {
		t.Error("a privileged container has no seccomp profile and no masked paths")
	}
	if !slices.Contains(s.Process.Capabilities.Effective, "CAP_SYS_ADMIN") {
		t.Error("it has all capabilities")
	}
	if sys := mountAt(s, "/sys"); !slices.Contains(sys.Options, "rw") {
		t.Error("/sys is writable")
	}
	if d := s.Linux.Resources.Devices; len(d) != 1 || !d[0].Allow {
		t.Errorf("all devices are allowed: %v", d)
	}
}

func TestCapabilities(t *testing.T) {
	for _, c := range []struct {
		add, drop []string
		with      []string
		without   []string
		n         int // 0: any
	}{
		{add: []string{"net_admin"}, with: []string{"CAP_NET_ADMIN", "CAP_CHOWN"}, n: 15},
		{drop: []string{"CHOWN", "cap_kill"}, without: []string{"CAP_CHOWN", "CAP_KILL"}, n: 12},
		{drop: []string{"ALL"}, add: []string{"NET_BIND_SERVICE"}, with: []string{"CAP_NET_BIND_SERVICE"}, n: 1},
		{add: []string{"ALL"}, drop: []string{"SYS_ADMIN"}, with: []string{"CAP_SYS_PTRACE"}, without: []string{"CAP_SYS_ADMIN"}},
	} {
		got, err := Capabilities(false, c.add, c.drop)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range c.with {
			if !slices.Contains(got, name) {
				t.Errorf("+%v -%v: no %s", c.add, c.drop, name)
			}
		}
		for _, name := range c.without {
			if slices.Contains(got, name) {
				t.Errorf("+%v -%v: has %s", c.add, c.drop, name)
			}
		}
		if c.n > 0 && len(got) != c.n {
			t.Errorf("+%v -%v: %d capabilities, want %d", c.add, c.drop, len(got), c.n)
		}
	}
	if _, err := Capabilities(false, []string{"FLY"}, nil); !errdefs.IsInvalidArgument(err) {
		t.Errorf("an unknown capability: %v", err)
	}
}

func TestSecurityOptions(t *testing.T) {
	s := build(t, func(in *Input) {
		in.HostConfig.SecurityOpt = []string{"no-new-privileges", "seccomp=unconfined", "label=disable", "apparmor:unconfined"}
	})
	if !s.Process.NoNewPrivileges || s.Linux.Seccomp != nil {
		t.Errorf("no_new_privs %v, seccomp %v", s.Process.NoNewPrivileges, s.Linux.Seccomp)
	}
	profile := `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["chmod"],"action":"SCMP_ACT_ERRNO"}]}`
	s = build(t, func(in *Input) { in.HostConfig.SecurityOpt = []string{"seccomp=" + profile} })
	if got := s.Linux.Seccomp; got == nil || got.DefaultAction != specs.ActAllow || got.Syscalls[0].Names[0] != "chmod" {
		t.Errorf("profile %+v", got)
	}
	for _, opt := range []string{"seccomp={", "fly=yes", "no-new-privileges=perhaps", "systempaths=all", "nothing"} {
		if _, err := Build(input(func(in *Input) { in.HostConfig.SecurityOpt = []string{opt} })); !errdefs.IsInvalidArgument(err) {
			t.Errorf("%s: got %v, want an invalid argument", opt, err)
		}
	}
}
