package logs

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// watch tells when a log's files change. It watches their directory, for
// rotation replaces the file.
type watch struct {
	f    *os.File
	wake chan struct{} // one token: something happened
}

func newWatch(path string) (*watch, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("watch log: %w", err)
	}
	w := &watch{f: os.NewFile(uintptr(fd), "inotify"), wake: make(chan struct{}, 1)}
	// MODIFY for lines, CREATE and MOVED_TO for a new current file.
	if _, err := unix.InotifyAddWatch(fd, filepath.Dir(path), unix.IN_MODIFY|unix.IN_CREATE|unix.IN_MOVED_TO); err != nil {
		w.f.Close()
		return nil, fmt.Errorf("watch log %s: %w", path, err)
	}
	go w.run()
	return w, nil
}

// run turns events into tokens; which ones they are does not matter.
func (w *watch) run() {
	buf := make([]byte, 4096)
	for {
		if _, err := w.f.Read(buf); err != nil {
			return // closed
		}
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// wait returns when there may be something to read, or with errUntil or ctx's error.
func (w *watch) wait(ctx context.Context, ended <-chan struct{}, until time.Time) error {
	var timeout <-chan time.Time
	if !until.IsZero() {
		timer := time.NewTimer(time.Until(until))
		defer timer.Stop()
		timeout = timer.C
	}
	select {
	case <-w.wake:
	case <-ended:
	case <-timeout:
		return errUntil
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// close ends run too: its read fails then.
func (w *watch) close() { w.f.Close() }
