//go:build go1.26 && !go1.27

package ahead

import "testing"

func TestPackageOf(t *testing.T) {
	for name, want := range map[string]string{
		"os.init":                               "os",
		"golang.org/x/sys/unix.init.0":          "golang.org/x/sys/unix",
		"encoding/xml.map.init.0":               "encoding/xml",
		"hash/crc32.init.OnceFunc.func3.1":      "hash/crc32",
		"example.org/semconv/v1%2e37%2e0.init":  "example.org/semconv/v1%2e37%2e0",
		"a name that has neither dot nor slash": "",
	} {
		if got := string(packageOf([]byte(name + "\x00.and what follows"))); got != want {
			t.Errorf("packageOf(%q) is %q", name, got)
		}
	}
}
