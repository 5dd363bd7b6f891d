package diff

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"
)

// maxFaults is how many differences Verify names.
const maxFaults = 20

// Verify compares a layer directory with its index, reading every file again.
// Whatever is missing, too much or different is of kind DataLoss; of many
// differences the first are named.
func Verify(ctx context.Context, dir, index string) error {
	x, err := OpenIndex(index)
	if errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("%w: %w", err, errdefs.ErrDataLoss)
	}
	if err != nil {
		return err
	}
	defer x.Close()
	root, err := unix.Open(dir, openDir, 0)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		return fmt.Errorf("open %s: %w: %w", dir, err, errdefs.ErrDataLoss)
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", dir, err)
	}
	defer unix.Close(root)
	v := &verifier{ctx: ctx}
	next, stop := iter.Pull2(x.All())
	defer stop()
	v.next = func() (e Entry, ok bool) {
		e, err, ok := next()
		if err != nil {
			v.err = err
		}
		return e, ok && err == nil
	}
	v.entry, v.more = v.next()
	v.visit(root, ".", "/")
	for v.more && v.err == nil {
		v.fault("%s is missing", v.entry.Path)
		v.entry, v.more = v.next()
	}
	return errors.Join(append(v.faults, v.err)...)
}

// verifier walks a tree in the order of the index, in step with it.
type verifier struct {
	ctx    context.Context
	next   func() (Entry, bool)
	entry  Entry // the next of the index, if more
	more   bool
	faults []error
	err    error // ends the walk
}

func (v *verifier) fault(format string, args ...any) {
	if len(v.faults) < maxFaults {
		v.faults = append(v.faults, fmt.Errorf(format+": %w", append(args, errdefs.ErrDataLoss)...))
	}
}

// visit compares one name and what is below it.
func (v *verifier) visit(dir int, name, path string) {
	if v.err == nil {
		v.err = v.ctx.Err()
	}
	for v.err == nil && v.more && ComparePaths(v.entry.Path, path) < 0 {
		v.fault("%s is missing", v.entry.Path)
		v.entry, v.more = v.next()
	}
	if v.err != nil {
		return
	}
	known := v.more && v.entry.Path == path
	if known {
		v.compare(dir, name, &v.entry)
		v.entry, v.more = v.next()
	} else {
		v.fault("%s is not in the index", path)
	}
	var st unix.Stat_t
	if err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil || !isDir(&st) {
		return
	}
	fd, err := unix.Openat(dir, name, openDir, 0)
	if err != nil {
		v.fault("open %s: %w", path, err)
		return
	}
	defer unix.Close(fd)
	names, err := readNames(fd)
	if err != nil {
		v.fault("read directory %s: %w", path, err)
		return
	}
	slices.Sort(names)
	for _, n := range names {
		v.visit(fd, n, join(path, n))
	}
}

// compare holds a file to its entry.
func (v *verifier) compare(dir int, name string, e *Entry) {
	var st unix.Stat_t
	if err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		v.fault("%s: %w", e.Path, err)
		return
	}
	kind := typeOf(&st)
	if isWhiteout(&st) {
		kind = TypeWhiteout
	}
	switch {
	case kind != e.Type:
		v.fault("%s is of type %q, not %q", e.Path, kind, e.Type)
		return
	case kind == TypeWhiteout:
		return
	case kind != TypeSymlink && st.Mode&0o7777 != e.Mode:
		v.fault("%s has mode %o, not %o", e.Path, st.Mode&0o7777, e.Mode)
	case int(st.Uid) != e.UID || int(st.Gid) != e.GID:
		v.fault("%s belongs to %d:%d, not %d:%d", e.Path, st.Uid, st.Gid, e.UID, e.GID)
	case (kind == TypeChar || kind == TypeBlock) && st.Rdev != e.Device:
		v.fault("%s is device %#x, not %#x", e.Path, st.Rdev, e.Device)
	case st.Mtim != timespec(e.ModTime):
		v.fault("%s has another modification time", e.Path)
	}
	switch kind {
	case TypeSymlink:
		if target, err := readlink(dir, name); err != nil {
			v.fault("read link %s: %w", e.Path, err)
		} else if target != e.Link {
			v.fault("%s leads to %q, not %q", e.Path, target, e.Link)
		}
	case TypeRegular:
		if e.Link != "" { // the content is compared under the first name
			return
		}
		if dgst, err := fileDigest(v.ctx, dir, name); err != nil {
			v.fault("read %s: %w", e.Path, err)
		} else if dgst != e.Digest {
			v.fault("%s has the content %s, not %s", e.Path, dgst, e.Digest)
		}
	}
}

func fileDigest(ctx context.Context, dir int, name string) (digest.Digest, error) {
	fd, err := unix.Openat(dir, name, openFile, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	buf := copyBuffers.Get().(*[256 << 10]byte)
	defer copyBuffers.Put(buf)
	h := sha256.New()
	if _, err := io.CopyBuffer(h, struct{ io.Reader }{contextReader{ctx, fdReader(fd)}}, buf[:]); err != nil {
		return "", err
	}
	return digest.NewDigest(digest.SHA256, h), nil
}
