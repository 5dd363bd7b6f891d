package ahead

import "testing"

func TestOf(t *testing.T) {
	for _, c := range []struct {
		args []string
		want Role
	}{
		{nil, Main},
		{[]string{"berth"}, Main},
		{[]string{"berth", "run", "runtime"}, Main},
		{[]string{"/usr/bin/berth", "runtime"}, RuntimeCommand},
		{[]string{"/usr/bin/berth-runtime", "list"}, Runtime},
		{[]string{"berth-runtime"}, Runtime},
		{[]string{"/berth-runtime/berth"}, Main},
		{[]string{"berth-shim"}, Shim},
		{[]string{"/bin/berth-shim", "x"}, Main},
	} {
		if got := Of(c.args); got != c.want {
			t.Errorf("Of(%q) is %d, want %d", c.args, got, c.want)
		}
	}
}

func TestSkips(t *testing.T) {
	for pkg, want := range map[string]bool{
		"github.com/klauspost/compress/internal/snapref":      true,
		"github.com/containerd/errdefs":                       false,
		"github.com/containerd/errdefs-more":                  true,
		"github.com/opencontainers/runtime-spec/specs-go":     false,
		"go.opentelemetry.io/otel/semconv/v1%2e37%2e0":        true,
		"golang.org/x/sys/unix":                               false,
		"golang.org/x/net/http2":                              true,
		"berth/tui/keymap":                                    true,
		"berth/runtime/cli":                                   false,
		"crypto/internal/fips140":                             true,
		"encoding/xml":                                        true,
		"encoding/json":                                       false,
		"os":                                                  false,
		"internal/godebug":                                    false,
		"a.package.that/nobody/has/thought/of":                true,
		"a package of the standard library that is yet to be": false,
	} {
		if got := Skips(pkg); got != want {
			t.Errorf("Skips(%q) is %v", pkg, got)
		}
	}
}
