// Package deeptest makes what tests of walks need and no path leads to: directories in
// each other, more than a process may have descriptors.
package deeptest

import (
	"testing"

	"golang.org/x/sys/unix"
)

// Chain makes directories called d in each other, so many levels below dir. What else
// is in a level, from 0 on, in makes with the descriptor of it.
func Chain(t *testing.T, dir string, depth int, in func(at, level int) error) {
	t.Helper()
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	at, err := unix.Open(dir, flags, 0)
	for i := 0; i < depth && err == nil; i++ {
		if err = in(at, i); err == nil {
			err = unix.Mkdirat(at, "d", 0o700)
		}
		next := -1
		if err == nil {
			next, err = unix.Openat(at, "d", flags, 0)
		}
		unix.Close(at)
		at = next
	}
	unix.Close(at)
	if err != nil {
		t.Fatal(err)
	}
}
