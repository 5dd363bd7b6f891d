package content

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
)

// Follow returns a reader of all that an open writer of this store has
// written and will write, from the beginning. It is how a blob is unpacked
// while it still arrives: the reader waits for what is not there yet, and
// ends with io.EOF once Commit has found the size and digest right, before
// the blob is durable. A writer that is closed without that, or truncated
// below what was read, is a read error. Close ends a Read that waits.
func (s *Store) Follow(cw content.Writer) (io.ReadCloser, error) {
	w, ok := cw.(*writer)
	if !ok || w.store != s {
		return nil, fmt.Errorf("follow a writer of another store: %w", errdefs.ErrInvalidArgument)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return nil, w.closed()
	}
	// A file of its own: the writer closes its file at the end.
	f, err := os.Open(filepath.Join(w.dir, "data"))
	if err != nil {
		return nil, fmt.Errorf("follow ingest %q: %w", w.state.Ref, err)
	}
	return &follower{w: w, file: f}, nil
}

// follower reads behind a writer. Its fields but file are guarded by w.mu.
type follower struct {
	w      *writer
	file   *os.File
	offset int64
	closed bool
	once   sync.Once
}

// Read waits until there is something to read.
func (f *follower) Read(p []byte) (int, error) {
	n, err := f.ready(len(p))
	if err != nil || n == 0 {
		return 0, err
	}
	n, err = f.file.ReadAt(p[:n], f.offset)
	f.offset += int64(n)
	if err == io.EOF { // cut by someone else than the writer
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// ready waits and returns how many of max bytes can be read.
func (f *follower) ready(max int) (int, error) {
	w := f.w
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		switch {
		case f.closed:
			return 0, os.ErrClosed
		case f.offset > w.offset:
			return 0, fmt.Errorf("ingest %q was truncated: %w", w.state.Ref, io.ErrUnexpectedEOF)
		case f.offset < w.offset:
			return int(min(int64(max), w.offset-f.offset)), nil
		case w.verified:
			return 0, io.EOF
		case w.file == nil:
			return 0, fmt.Errorf("ingest %q was given up: %w", w.state.Ref, io.ErrUnexpectedEOF)
		}
		w.more.Wait()
	}
}

func (f *follower) Close() (err error) {
	f.once.Do(func() {
		f.w.mu.Lock()
		f.closed = true
		f.w.more.Broadcast()
		f.w.mu.Unlock()
		err = f.file.Close()
	})
	return err
}
