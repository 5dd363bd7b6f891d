package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/errdefs"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"berth/store/image"
)

// fetchRetries is how often a download goes on after an error without having
// got a single byte in between.
const fetchRetries = 5

// source reads blobs of the repository for the store; it is an image.Source.
func (s *session) source(ctx context.Context, blob ocispec.Descriptor, offset int64) (io.ReadCloser, error) {
	f, err := s.resolver.Fetcher(ctx, s.repo.String()+"@"+blob.Digest.String())
	if err != nil {
		return nil, err
	}
	blob.URLs = nil // of foreign layers: the registry is asked, or nobody
	ctx, cancel := context.WithCancel(context.WithValue(ctx, blobSize{}, blob.Size))
	return &download{
		ctx: ctx, cancel: cancel, blob: blob, offset: offset, delay: s.remote.cfg.RetryDelay, firstDelay: s.remote.cfg.RetryDelay,
		open: func() (io.ReadCloser, error) { return f.Fetch(ctx, blob) },
	}, nil
}

var _ image.Source = (*session)(nil).source

// download reads a blob and goes on, over another connection, where one was
// lost. Close may be called while a Read waits.
type download struct {
	ctx    context.Context
	cancel context.CancelFunc

	mu     sync.Mutex // held while reading, guards the rest
	blob   ocispec.Descriptor
	offset int64
	open   func() (io.ReadCloser, error)
	body   io.ReadCloser // nil: to be opened

	failed            int // times since the last byte
	delay, firstDelay time.Duration
}

func (d *download) Read(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		n, err := d.read(p)
		d.offset += int64(n)
		if n > 0 {
			d.failed, d.delay = 0, d.firstDelay
			return n, nil // what the error means shows with the next read
		}
		switch {
		case err == nil, err == io.EOF:
			return 0, err
		case d.ctx.Err() != nil:
			return 0, d.ctx.Err()
		case errdefs.IsNotFound(err):
			return 0, notFound("unknown blob: the registry does not have %s, which the manifest names", d.blob.Digest)
		case code(err) == http.StatusRequestedRangeNotSatisfiable:
			return 0, invalid("the registry has %d bytes, the manifest tells of %d", d.offset, d.blob.Size)
		case lasting(err):
			return 0, err
		case d.failed == fetchRetries:
			return 0, &problem{text: fmt.Sprintf("the connection was lost too often, after %d of %d bytes (a new pull goes on from there): %v", d.offset, d.blob.Size, pushProblem(err)), cause: err}
		}
		d.failed++
		if err := sleep(d.ctx, d.delay); err != nil {
			return 0, err
		}
		d.delay *= 2
	}
}

// read reads from the connection there is, or from a new one.
func (d *download) read(p []byte) (int, error) {
	if d.body == nil {
		body, err := d.open()
		if err != nil {
			return 0, err
		}
		d.body = body
		if seeker, ok := body.(io.Seeker); d.offset > 0 && ok {
			if _, err := seeker.Seek(d.offset, io.SeekStart); err != nil {
				return 0, d.lost(err)
			}
		}
	}
	n, err := d.body.Read(p)
	switch {
	case errdefs.IsFailedPrecondition(err): // of the fetcher: the answer goes on behind the size
		return n, invalid("the registry sent more than the %d bytes that the manifest tells of", d.blob.Size)
	case err == io.EOF && d.offset+int64(n) < d.blob.Size:
		return n, d.lost(fmt.Errorf("the registry sent %d of %d bytes: %w", d.offset+int64(n), d.blob.Size, io.ErrUnexpectedEOF))
	case err != nil && err != io.EOF:
		return n, d.lost(err)
	}
	return n, err
}

// lost lets go of a connection because of an error, which it returns.
func (d *download) lost(err error) error {
	d.body.Close()
	d.body = nil
	return err
}

func (d *download) Close() error {
	d.cancel() // ends a Read that waits
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.body == nil {
		return nil
	}
	return d.body.Close()
}

// lasting tells errors that another try will not mend.
func lasting(err error) bool {
	return code(err) >= 400 && code(err) < 500 || errdefs.IsNotFound(err) || errdefs.IsInvalidArgument(err) || errors.Is(err, docker.ErrInvalidAuthorization)
}
