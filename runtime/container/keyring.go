package container

import (
	"sync"

	"golang.org/x/sys/unix"
)

// hasKeyrings tells whether the kernel was built with keys. Without, nobody's can
// be seen from a container.
var hasKeyrings = sync.OnceValue(func() bool {
	_, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, false)
	return err != unix.ENOSYS
})
