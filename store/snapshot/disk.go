package snapshot

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// disk makes what is written to the file system of the snapshots durable. One
// call for a whole layer is much cheaper than an fsync for each of its files.
//
// That a write failed the kernel tells once, and only to who had a file open
// by then. So one is kept open from the start, and failures are counted: who
// began to write before one must take it for his own.
type disk struct {
	root *os.File

	mu       sync.Mutex
	failures int
	last     error
}

// openDisk opens the file system that dir is on.
func openDisk(dir string) (*disk, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	return &disk{root: f}, nil
}

// failed is how often writing has failed so far.
func (d *disk) failed() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failures
}

// sync returns when everything is on disk that was written since failed was
// asked. What others wrote may be why it is not.
func (d *disk) sync(failed int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := unix.Syncfs(int(d.root.Fd())); err != nil {
		d.failures++
		d.last = err
	}
	if d.failures > failed {
		return fmt.Errorf("write to the file system of %s: %w", d.root.Name(), d.last)
	}
	return nil
}

// Close lets go of the directory, as often as it is called; the database is its
// opener's.
func (o *Overlay) Close() error {
	if err := o.disk.root.Close(); !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// since is how often writing had failed when an active snapshot was begun.
func (o *Overlay) since(r *record) int {
	o.mu.RLock()
	defer o.mu.RUnlock()
	return o.begun[r.Dir]
}
