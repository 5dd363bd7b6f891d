package nsenter

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// Builder runs f on a thread that shares neither working directory, root nor
// umask with the process and that ends with f, whatever f did to it. Threads
// that f's callees start are clean: the Go runtime clones them from elsewhere.
//
// The process's first thread is never used, as /proc/self and the main thread's
// namespaces stand for the whole process in the eyes of others.
func Builder(f func() error) error {
	done := make(chan error, 1)
	go thread(f, done)
	return <-done
}

func thread(f func() error, done chan<- error) {
	runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
	if unix.Gettid() == unix.Getpid() {
		next := make(chan error, 1)
		go thread(f, next) // this thread being taken, it gets another
		err := <-next
		runtime.UnlockOSThread() // this one is untouched
		done <- err
		return
	}
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		done <- fmt.Errorf("unshare the file system context: %w", err)
		return
	}
	done <- f()
}
