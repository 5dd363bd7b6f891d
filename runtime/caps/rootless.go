package caps

import (
	"os"
	"strings"
	"sync"

	"berth/runtime/plainfile"
)

// All is the set of all capabilities of the kernel. It is what the root of a new
// user namespace has there, whatever its creator has.
func All() (uint64, error) { return 1<<(Last()+1) - 1, nil }

// Rootless tells whether this process has no rights over the host: it is not
// root's, or that of the root of a user namespace only. It must not be called where
// the calling thread is in another user namespace than the process.
func Rootless() bool { return os.Geteuid() != 0 || innerRoot() }

var innerRoot = sync.OnceValue(func() bool {
	b, err := plainfile.Read("/proc/self/uid_map")
	// The initial user namespace maps all IDs to themselves.
	return err == nil && strings.Join(strings.Fields(string(b)), " ") != "0 0 4294967295"
})
