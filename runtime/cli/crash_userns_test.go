package cli

import (
	"os"
	"testing"

	"berth/runtime/steptest"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// TestKilledInUserNamespace kills the runtime, its twin in the user namespace
// (package nsenter), with which the runtime ends as if killed itself, and init.
func TestKilledInUserNamespace(t *testing.T) {
	b := newBundle(t)
	b.configure(func(s *specs.Spec) {
		s.Process.Args = []string{"sleep", "1000"}
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
		s.Linux.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 65536}}
		s.Linux.GIDMappings = s.Linux.UIDMappings
	})
	if err := os.Chown(b.dir+"/rootfs", 100000, 100000); err != nil {
		t.Fatal(err)
	}
	for name, n := range map[string]int{"create": steptest.Count(5), "exec": steptest.Count(1)} {
		t.Run(name, func(t *testing.T) {
			s := sequences(b.id)[name]
			for _, g := range []steptest.Generation{steptest.Command, steptest.Child, steptest.Grandchild} {
				if g == steptest.Child {
					s.before = append([][]string{}, s.before...) // not nil: nobody is left to undo it
				} else {
					s = sequences(b.id)[name]
				}
				all := b.step(t, s, g, 0)
				for _, at := range steptest.Points(all.Steps, n) {
					b.step(t, s, g, at)
				}
				t.Logf("generation %d: %d system calls", g, all.Steps)
			}
		})
	}
}
