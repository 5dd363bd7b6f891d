package content

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/containerd/errdefs"
)

// Follow opens what has arrived of the ingest of ref, for reading it while a
// writer still appends. The file stays readable whatever becomes of the
// ingest; how much of it is valid is for the writer to tell.
func (s *Store) Follow(ref string) (*os.File, error) {
	f, err := os.Open(filepath.Join(s.ingestDir(ref), "data"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("follow ingest %q: %w", ref, errdefs.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("follow ingest %q: %w", ref, err)
	}
	return f, nil
}
