package container

import (
	"testing"
)

// TestNullDeviceIsTheContainers: a command without standard streams has the null
// device on a mount that it can see, and not the host's.
func TestNullDeviceIsTheContainers(t *testing.T) {
	f := newFixture(t)
	f.opts.Stdin = nil
	f.want("stat -L -c %d:%i /proc/self/fd/0 /dev/null | uniq | wc -l; echo x > /proc/self/fd/0 && echo written", "1\nwritten")
}
