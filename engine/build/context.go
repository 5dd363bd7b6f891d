package build

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"berth/engine/download"
	"berth/store/diff"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/jsonstream"
)

// received is the context of a classic build, unpacked.
type received struct {
	top        string // all that was received
	dir        string // the part of it that is the context
	dockerfile string // its name, if the context is nothing else
}

// receive unpacks the context of a request.
func (b *Builder) receive(ctx context.Context, r Request, body io.Reader, report Report) (_ *received, err error) {
	dir, err := os.MkdirTemp(b.contexts(), "")
	if err != nil {
		return nil, fmt.Errorf("receive build context: %w", err)
	}
	s := &received{top: dir, dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if repo, ok := repository(r.Remote); ok {
		return s, s.clone(ctx, repo)
	}
	if r.Remote != "" {
		rc, err := fetch(ctx, r.Remote, report)
		if err != nil {
			return nil, err
		}
		defer rc.Close()
		body = rc
	}
	if body == nil {
		return nil, fmt.Errorf("build: there is no context: send a tar, or name one as 'remote': %w", errdefs.ErrInvalidArgument)
	}
	in := bufio.NewReaderSize(body, 64<<10)
	head, err := in.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("receive build context: %w: %w", err, errdefs.ErrInvalidArgument)
	}
	if r.Remote != "" && !IsArchive(head) {
		return s, s.single(in)
	}
	root, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	if err := diff.Extract(ctx, root, "/", in, diff.ExtractOptions{}); err != nil {
		return nil, fmt.Errorf("receive build context: %w", err)
	}
	// The server sees that a client goes only once its request is read whole, to behind the end of the tar.
	if _, err := io.Copy(io.Discard, in); err != nil {
		return nil, fmt.Errorf("receive build context: %w: %w", err, errdefs.ErrInvalidArgument)
	}
	return s, nil
}

// single makes a context of a Dockerfile alone.
func (s *received) single(r io.Reader) error {
	s.dockerfile = "Dockerfile"
	f, err := os.OpenFile(filepath.Join(s.dir, s.dockerfile), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	// One byte more than it may have, which who reads it refuses.
	if _, err := io.Copy(f, io.LimitReader(r, maxDockerfile+1)); err != nil {
		return errors.Join(fmt.Errorf("receive Dockerfile: %w", err), f.Close())
	}
	return f.Close()
}

// maxDockerfile bounds a Dockerfile, in bytes.
const maxDockerfile = 2 << 20

// IsArchive tells by its first bytes whether data is a tar, maybe compressed.
func IsArchive(head []byte) bool {
	for _, magic := range []string{"\x1f\x8b", "BZh", "\xfd7zXZ\x00", "\x28\xb5\x2f\xfd"} {
		if strings.HasPrefix(string(head), magic) {
			return true
		}
	}
	return len(head) >= 262 && string(head[257:262]) == "ustar"
}

// fetch opens a context that is elsewhere.
func fetch(ctx context.Context, remote string, report Report) (io.ReadCloser, error) {
	if !strings.HasPrefix(remote, "http://") && !strings.HasPrefix(remote, "https://") {
		return nil, fmt.Errorf("the context %q cannot be fetched: use the address of a git repository, a tar or a Dockerfile: %w", remote, errdefs.ErrInvalidArgument)
	}
	report(jsonstream.Message{Stream: "Downloading build context from remote url: " + remote + "\n"})
	resp, err := download.Open(ctx, remote)
	if err != nil {
		return nil, fmt.Errorf("error downloading remote context %s: %w", remote, err)
	}
	return resp.Body, nil
}

// open opens a file of the context. What the context's own links point to outside of
// it is not there.
func (s *received) open(name string) (*os.File, error) {
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.Open(name)
	if errors.Is(err, fs.ErrNotExist) && filepath.Base(name) == "Dockerfile" {
		if f, err := root.Open(filepath.Join(filepath.Dir(name), "dockerfile")); err == nil {
			return f, nil
		}
	}
	return f, err
}

// close removes the context.
func (s *received) close() error {
	if err := os.RemoveAll(s.top); err != nil {
		return fmt.Errorf("remove build context: %w", err)
	}
	return nil
}

// contexts is where contexts are unpacked; what a crash leaves goes at the next Open.
func (b *Builder) contexts() string { return filepath.Join(b.opts.Root, "contexts") }
