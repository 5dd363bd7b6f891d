package foreign

import (
	"context"
	"errors"
	"iter"
	"strconv"
	"strings"

	"berth/engine/api/berthapi"
)

// Diff compares what two layers of an image make together with all below them. A
// running container's files are its engine's alone.
func (b *Browser) Diff(ctx context.Context, from, to string, o berthapi.DiffOptions) iter.Seq2[berthapi.Difference, error] {
	return func(yield func(berthapi.Difference, error) bool) {
		for d, err := range b.Berth.Diff(ctx, from, to, o) {
			if errors.Is(err, berthapi.ErrUnsupported) {
				if err := b.compared(ctx, from, to, yield); err != nil {
					yield(berthapi.Difference{}, err)
				}
				return
			}
			if !yield(d, err) {
				return
			}
		}
	}
}

// compared yields the differences of two layers of the index.
func (b *Browser) compared(ctx context.Context, from, to string, yield func(berthapi.Difference, error) bool) error {
	ref, lower, ok := layerOf(from)
	other, upper, also := layerOf(to)
	if !ok || !also {
		return errors.New("this engine compares only layers of an image, not a container with them; berth's own can")
	}
	if ref != other {
		return errors.New("this engine's images are looked at one at a time: choose two layers of the same one")
	}
	j, err := b.index(ctx, ref)
	if err != nil {
		return err
	}
	a, err := j.upTo(lower)
	if err != nil {
		return err
	}
	c, err := j.upTo(upper)
	if err != nil {
		return err
	}
	differences(present(j.unionOf(a)), present(j.unionOf(c)), func(d berthapi.Difference) bool { return yield(d, nil) })
	return nil
}

// layerOf reads "image:REFERENCE@layerN".
func layerOf(tree string) (ref string, n int, ok bool) {
	rest, image := strings.CutPrefix(tree, "image:")
	i := strings.LastIndex(rest, "@layer")
	if !image || i < 0 {
		return "", 0, false
	}
	n, err := strconv.Atoi(rest[i+len("@layer"):])
	return rest[:i], n, err == nil
}

// present leaves out what the topmost layer of a union deletes.
func present(union []*entry) []*entry {
	var out []*entry
	for _, e := range union {
		if e.kind != berthapi.Deleted {
			out = append(out, e)
		}
	}
	return out
}

// differences walks two trees, both ordered by path, beside each other.
func differences(old, now []*entry, yield func(berthapi.Difference) bool) {
	for len(old) > 0 || len(now) > 0 {
		d := berthapi.Difference{}
		switch order := first(old, now); {
		case order < 0:
			e := old[0].public()
			d.Path, d.Kind, d.Old = e.Path, berthapi.Deleted, &e
			old = old[1:]
		case order > 0:
			e := now[0].public()
			d.Path, d.Kind, d.New = e.Path, berthapi.Added, &e
			now = now[1:]
		default:
			a, b := old[0], now[0]
			old, now = old[1:], now[1:]
			d.Kind = b.against(a)
			if d.Kind == berthapi.Unchanged || d.Kind == berthapi.Metadata && a.mode == b.mode && a.uid == b.uid && a.gid == b.gid {
				continue
			}
			was, is := a.public(), b.public()
			d.Path, d.Old, d.New = is.Path, &was, &is
		}
		if !yield(d) {
			return
		}
	}
}

// first tells which of two lists begins with the path that comes first: a negative
// number for the first list, 0 when both have it.
func first(a, b []*entry) int {
	switch {
	case len(a) == 0:
		return 1
	case len(b) == 0:
		return -1
	}
	return compare(a[0].path, b[0].path)
}
