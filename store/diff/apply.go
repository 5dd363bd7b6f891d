package diff

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"
)

// Bounds on what a layer may ask for. Names and links are the kernel's own.
const (
	maxPath  = unix.PathMax - 1
	maxName  = 255
	maxDepth = 1024
	maxHoles = 16 << 30 // bytes of holes in sparse files, which cost no tar bytes

	// maxRecord bounds what is kept in memory of the entries: five million with
	// ordinary names. A tar can make a thousand of one header, by naming directories
	// that it does not describe.
	maxRecord = 512 << 20
)

// ApplyOptions tune Apply.
type ApplyOptions struct {
	// Lower are the layers below, topmost first. A directory that the tar
	// implies but does not describe takes its attributes from them, a path
	// through one of their symbolic links goes where the link goes, and a
	// hard link to one of their files is made by copying it up.
	Lower []string
	// Below, if set, is asked for Lower once, when the first entry needs it or
	// at the end. So a layer can be unpacked while those below still are.
	Below func(context.Context) ([]string, error)
	// Digested tells that the caller has the digest of the stream as it is: an
	// uncompressed one is not hashed again, and Result.DiffID is then empty.
	Digested bool
	// Index is where to write the index of the layer; "" for none.
	Index string
	// Complete refuses a stream that ends without tar's end marker. Where a
	// digest tells what is complete it is not needed, and some tools leave
	// the marker out.
	Complete bool

	record int64 // maxRecord, if not 0
}

// Result tells what Apply unpacked.
type Result struct {
	DiffID      digest.Digest // of the uncompressed stream, to its end (but see Digested)
	Compression Compression
	Size        int64 // bytes of regular files
	Entries     int
}

// Apply unpacks a layer, a tar stream that may be compressed, into the empty
// directory dir. Nothing outside dir is touched, whatever the stream says:
// entries that would escape are refused. After an error dir is empty again.
//
// Errors are of kind InvalidArgument if the stream is at fault.
func Apply(ctx context.Context, dir string, r io.Reader, opts ApplyOptions) (_ Result, err error) {
	names, err := os.ReadDir(dir)
	if err == nil && len(names) > 0 {
		err = fmt.Errorf("it is not empty: %w", errdefs.ErrFailedPrecondition)
	}
	if err != nil {
		return Result{}, fmt.Errorf("unpack layer into %s: %w", dir, err)
	}
	a, err := newApplier(ctx, dir, opts)
	if err != nil {
		return Result{}, fmt.Errorf("unpack layer: %w", err)
	}
	defer a.close()
	defer func() {
		if err != nil {
			err = errors.Join(err, a.empty())
		}
	}()

	stream, compression, err := Decompress(r)
	if err != nil {
		return Result{}, fmt.Errorf("unpack layer: %w", err)
	}
	defer stream.Close()
	p := newPipe(stream, opts.Digested && compression == Uncompressed)
	defer p.stop()
	if err := a.entriesOf(ctx, tar.NewReader(p)); err != nil {
		return Result{}, fmt.Errorf("unpack layer: %w", err)
	}
	if opts.Complete && p.err == io.EOF {
		return Result{}, fmt.Errorf("unpack layer: %w", streamError(io.ErrUnexpectedEOF))
	}
	// The diff ID covers what follows the end of the archive, too, and only
	// the end of the stream shows that it is complete.
	if _, err := io.Copy(io.Discard, p); err != nil {
		return Result{}, fmt.Errorf("unpack layer: %w", streamError(err))
	}
	if err := a.finish(); err != nil {
		return Result{}, fmt.Errorf("unpack layer: %w", err)
	}
	res := Result{DiffID: p.digest(), Compression: compression}
	if res.Entries, res.Size, err = a.index(opts.Index); err != nil {
		return Result{}, err
	}
	return res, nil
}

// streamError gives errors of reading the stream the kind of a bad argument,
// unless they have one already.
func streamError(err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errdefs.IsInvalidArgument(err) {
		return err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the stream is cut off: %w: %w", err, errdefs.ErrInvalidArgument)
	}
	return fmt.Errorf("bad stream: %w: %w", err, errdefs.ErrInvalidArgument)
}

// entriesOf unpacks all entries of an archive.
func (a *applier) entriesOf(ctx context.Context, tr *tar.Reader) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		hdr, err := tr.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return streamError(err)
		}
		if a.made.bytes > a.maxRecord {
			return refuse("its %d entries and more would take more than %d bytes of memory", a.made.count, a.maxRecord)
		}
		if err := a.entry(hdr, contextReader{ctx, tr}); err != nil {
			if before := a.small.wait(); before != nil {
				return before // of an earlier entry
			}
			return fmt.Errorf("entry %q: %w", shorten(hdr.Name), err)
		}
	}
}

// contextReader stops reading when the context ends: a sparse file can be
// long without the stream being so.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(b)
}

func shorten(name string) string {
	if len(name) > 1000 {
		return name[:200] + "…" + name[len(name)-100:]
	}
	return name
}

func refuse(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, errdefs.ErrInvalidArgument)...)
}

// cleanName turns the name of a tar entry, or of a hard link's target, into a
// path of the layer. Names that climb above the root are refused, and so are
// absolute ones: no tool writes them into layers.
func cleanName(name string) (string, error) {
	if len(name) > maxPath {
		return "", refuse("name of %d bytes is too long", len(name))
	}
	if strings.IndexByte(name, 0) >= 0 {
		return "", refuse("name contains a zero byte")
	}
	if strings.HasPrefix(name, "/") && strings.Trim(name, "/") != "" {
		return "", refuse("absolute name")
	}
	var names []string
	for n := range strings.SplitSeq(name, "/") {
		switch {
		case n == "" || n == ".":
		case n == "..":
			if len(names) == 0 {
				return "", refuse("name leads out of the layer")
			}
			names = names[:len(names)-1]
		case len(n) > maxName:
			return "", refuse("name component of %d bytes is too long", len(n))
		default:
			names = append(names, n)
		}
	}
	if len(names) > maxDepth {
		return "", refuse("%d directories deep", len(names))
	}
	return "/" + strings.Join(names, "/"), nil
}

// entry unpacks one entry.
func (a *applier) entry(hdr *tar.Header, content io.Reader) error {
	switch hdr.Typeflag {
	case tar.TypeXGlobalHeader:
		return nil // git-archive's comment
	case tar.TypeReg, tar.TypeGNUSparse, tar.TypeCont, tar.TypeDir, tar.TypeSymlink,
		tar.TypeLink, tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
	default:
		return refuse("unknown type %q", hdr.Typeflag)
	}
	path, err := cleanName(hdr.Name)
	if err != nil {
		return err
	}
	if path == "/" {
		if hdr.Typeflag != tar.TypeDir {
			return refuse("the root must be a directory")
		}
		a.set(entryOf("/", TypeDir, hdr))
		a.rootSet = true
		return a.attributes(a.tree.root, ".", hdr, TypeDir)
	}
	dir, name := split(path)
	if strings.HasPrefix(name, whiteoutPrefix) {
		return a.whiteout(dir, name)
	}
	parent, dir, err := a.parent(dir)
	if err != nil {
		return err
	}
	path = join(dir, name)
	if len(path) > maxPath {
		return refuse("path of %d bytes is too long", len(path))
	}
	switch hdr.Typeflag {
	case tar.TypeDir:
		return a.mkdir(parent, path, name, hdr)
	case tar.TypeLink:
		return a.hardlink(parent, path, name, hdr)
	}
	if err := a.clear(parent, path, name); err != nil {
		return err
	}
	switch hdr.Typeflag {
	case tar.TypeSymlink:
		return a.symlink(parent, path, name, hdr)
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		return a.node(parent, path, name, hdr)
	}
	return a.file(parent, path, name, hdr, content)
}

func entryOf(path string, t Type, hdr *tar.Header) Entry {
	e := Entry{Path: path, Type: t, Mode: uint32(hdr.Mode) & 0o7777, UID: hdr.Uid, GID: hdr.Gid, ModTime: hdr.ModTime}
	if len(hdr.PAXRecords) > 0 {
		e.Attrs = hashAttrs(headerXattrs(hdr))
	}
	return e
}

// timespec is the time of an entry for utimensat. An entry without one gets
// the epoch, so that the same layer always unpacks alike.
func timespec(t time.Time) unix.Timespec {
	if t.IsZero() {
		t = time.Unix(0, 0)
	}
	return unix.Timespec{Sec: t.Unix(), Nsec: int64(t.Nanosecond())}
}
