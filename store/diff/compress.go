package diff

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"

	"github.com/containerd/errdefs"
	"github.com/klauspost/compress/zstd"
	"github.com/therootcompany/xz"

	"berth/store/inflate"
)

// Compression is how a stream is compressed.
type Compression string

// The compressions that are recognised.
const (
	Uncompressed Compression = ""
	Gzip         Compression = "gzip"
	Zstd         Compression = "zstd"
	Bzip2        Compression = "bzip2"
	XZ           Compression = "xz"
)

// zstdWindow bounds the memory a frame may ask for (zstd(1) --ultra uses up
// to 128 MiB).
const zstdWindow = 128 << 20

// xzDictionary is the same for xz: as much as xz -9 needs.
const xzDictionary = 64 << 20

// Detect tells how a stream is compressed by its first six bytes.
func Detect(head []byte) Compression {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return Gzip
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return Zstd
	case bytes.HasPrefix(head, []byte("BZh")):
		return Bzip2
	case bytes.HasPrefix(head, []byte{0xfd, '7', 'z', 'X', 'Z', 0}):
		return XZ
	}
	return Uncompressed
}

// Decompress recognises the compression of a stream by its first bytes and
// returns the uncompressed stream. Its reader must be closed; that does not
// close r. A truncated stream and garbage after its end are read errors.
func Decompress(r io.Reader) (io.ReadCloser, Compression, error) {
	br := bufio.NewReaderSize(r, 256<<10)
	head, err := br.Peek(6)
	if err != nil && err != io.EOF {
		return nil, "", fmt.Errorf("read the start of the stream: %w", err)
	}
	switch Detect(head) {
	case Gzip:
		z, err := inflate.NewReader(br)
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("gzip: %w: %w", err, errdefs.ErrInvalidArgument)
		}
		if err != nil {
			return nil, "", err
		}
		return z, Gzip, nil
	case Zstd:
		z, err := zstd.NewReader(br, zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, "", fmt.Errorf("zstd: %w: %w", err, errdefs.ErrInvalidArgument)
		}
		return z.IOReadCloser(), Zstd, nil
	case Bzip2:
		return io.NopCloser(bzip2.NewReader(br)), Bzip2, nil
	case XZ:
		z, err := xz.NewReader(br, xzDictionary)
		if err != nil {
			return nil, "", fmt.Errorf("%w: %w", err, errdefs.ErrInvalidArgument)
		}
		return io.NopCloser(z), XZ, nil
	}
	return io.NopCloser(br), Uncompressed, nil
}
