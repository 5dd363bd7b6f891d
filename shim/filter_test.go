package shim

import (
	"bytes"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"berth/runtime/seccomp"
)

func TestFiltersAreThoseOfTheirProfile(t *testing.T) {
	profile := func(denied ...string) *specs.LinuxSeccomp {
		return &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: denied, Action: specs.ActErrno}}}
	}
	var f filters
	for _, s := range []*specs.LinuxSeccomp{profile("mount"), profile("mount"), profile("umount2"), nil, profile("mount", "umount2"), profile("mount")} {
		want, err := seccomp.Compile(s)
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.compile(s)
		if err != nil || !bytes.Equal(got.Code, want.Code) || got.Flags != want.Flags {
			t.Errorf("%+v: another filter than its own, %v", s, err)
		}
	}
	kept, err := f.compile(profile("mount"))
	if err != nil || &kept.Code[0] != &f.filter.Code[0] {
		t.Errorf("the same profile was compiled again, %v", err)
	}
	if _, err := f.compile(&specs.LinuxSeccomp{DefaultAction: "nonsense"}); err == nil {
		t.Error("a profile that means nothing was compiled")
	}
}
