package build

import (
	"reflect"
	"testing"

	ctdmount "github.com/containerd/containerd/v2/core/mount"
	"github.com/moby/buildkit/executor"
	"github.com/moby/sys/user"
)

// given is a mount that BuildKit gives a step.
type given []ctdmount.Mount

func (g given) Mount() ([]ctdmount.Mount, func() error, error) { return g, nil, nil }
func (given) IdentityMapping() *user.IdentityMapping           { return nil }

// What BuildKit bars from a mount stays barred in the step.
func TestMountsOfAStepKeepWhatIsBarred(t *testing.T) {
	for _, c := range []struct {
		options  []string
		readonly bool
		want     []string
	}{
		{[]string{"rbind", "ro", "nosuid", "nodev", "noexec"}, true, []string{"rbind", "ro", "nodev", "nosuid", "noexec"}},
		{[]string{"rbind", "rw", "noexec"}, false, []string{"rbind", "rw", "noexec"}},
		{[]string{"rbind"}, false, []string{"rbind", "rw"}},
	} {
		got, err := (&step{}).mount(given{{Type: "bind", Source: "/src", Options: c.options}}, executor.Mount{Dest: "run/secrets/x", Readonly: c.readonly})
		if err != nil || got.Source != "/src" || got.Destination != "/run/secrets/x" || !reflect.DeepEqual(got.Options, c.want) {
			t.Errorf("%v: %+v, %v", c.options, got, err)
		}
	}
}
