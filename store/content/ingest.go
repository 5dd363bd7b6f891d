package content

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/pkg/filters"
	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"

	"berth/store/durable"
)

// ingestLife is how long an interrupted ingest waits to be resumed.
const ingestLife = 7 * 24 * time.Hour

// state is the description of an ingest between two writers.
type state struct {
	Ref       string        `json:"ref"`
	Expected  digest.Digest `json:"expected,omitempty"`
	Total     int64         `json:"total,omitempty"`
	StartedAt time.Time     `json:"started"`
	UpdatedAt time.Time     `json:"updated"`
}

// ingestDir is the directory of the ingest of ref, or of all ingests for "".
func (s *Store) ingestDir(ref string) string {
	dir := filepath.Join(s.root, "ingests")
	if ref == "" {
		return dir
	}
	return filepath.Join(dir, digest.FromString(ref).Encoded())
}

// writeState stores the description of an ingest, durably: after a power cut
// a download must be resumable, or be recognised as none.
func writeState(dir string, st state) error {
	data, err := json.Marshal(st)
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(dir, "state"), data, 0o600)
}

// readState reads the description of an ingest.
func readState(dir string) (state, error) {
	var st state
	data, err := os.ReadFile(filepath.Join(dir, "state"))
	if err == nil {
		err = json.Unmarshal(data, &st)
	}
	return st, err
}

// cleanIngests removes the ingests that will not be resumed.
func (s *Store) cleanIngests() error {
	entries, err := os.ReadDir(s.ingestDir(""))
	if err != nil {
		return err
	}
	for _, e := range entries {
		dir := filepath.Join(s.ingestDir(""), e.Name())
		st, err := readState(dir)
		if err == nil {
			// What was just committed when the power went has no data any more.
			_, err = os.Lstat(filepath.Join(dir, "data"))
		}
		// Data that a crash cut short of what was written is still a prefix of
		// the blob, or the digest will tell at commit.
		if err == nil && st.Expected != "" && time.Since(st.UpdatedAt) < ingestLife {
			continue
		}
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}

// Status returns the state of the ingest of ref, or an error of kind NotFound.
func (s *Store) Status(_ context.Context, ref string) (content.Status, error) {
	s.mu.Lock()
	w := s.writers[ref]
	s.mu.Unlock()
	if w != nil {
		return w.Status()
	}
	return s.idleStatus(ref, s.ingestDir(ref))
}

// idleStatus is the status of an ingest that no writer has open.
func (s *Store) idleStatus(ref, dir string) (content.Status, error) {
	st, err := readState(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return content.Status{}, fmt.Errorf("ingest %q: %w", ref, errdefs.ErrNotFound)
	}
	if err != nil {
		return content.Status{}, fmt.Errorf("ingest %q: %w", ref, err)
	}
	fi, err := os.Stat(filepath.Join(dir, "data"))
	if err != nil {
		return content.Status{}, fmt.Errorf("ingest %q: %w", ref, err)
	}
	return st.status(fi.Size()), nil
}

// status is the state in containerd's terms, with offset bytes written.
func (st state) status(offset int64) content.Status {
	return content.Status{
		Ref: st.Ref, Offset: offset, Total: st.Total, Expected: st.Expected,
		StartedAt: st.StartedAt, UpdatedAt: st.UpdatedAt,
	}
}

// ListStatuses returns the ingests that match one of the filters
// ("ref==x"), or all, whether or not a writer is open on them.
func (s *Store) ListStatuses(ctx context.Context, fs ...string) ([]content.Status, error) {
	filter, err := filters.ParseAll(fs...)
	if err != nil {
		return nil, fmt.Errorf("list ingests: %w: %w", err, errdefs.ErrInvalidArgument)
	}
	entries, err := os.ReadDir(s.ingestDir(""))
	if err != nil {
		return nil, fmt.Errorf("list ingests: %w", err)
	}
	var all []content.Status
	for _, e := range entries {
		st, err := readState(filepath.Join(s.ingestDir(""), e.Name()))
		if err != nil {
			continue // committed or aborted since, or being created
		}
		status, err := s.Status(ctx, st.Ref)
		if err != nil {
			continue
		}
		match := filters.AdapterFunc(func(path []string) (string, bool) {
			if len(path) == 1 && path[0] == "ref" {
				return status.Ref, true
			}
			return "", false
		})
		if filter.Match(match) {
			all = append(all, status)
		}
	}
	return all, nil
}

// Abort throws an ingest away. It is an error of kind Unavailable while a
// writer is open on it.
func (s *Store) Abort(_ context.Context, ref string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writers[ref] != nil {
		return fmt.Errorf("abort ingest %q: a writer is open: %w", ref, errdefs.ErrUnavailable)
	}
	dir := s.ingestDir(ref)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("abort ingest %q: %w", ref, errdefs.ErrNotFound)
	}
	return os.RemoveAll(dir)
}
