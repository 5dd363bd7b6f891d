// Package foreign shows the layers of images of engines that are not berth's: dockerd, podman.
//
// Docker's API tells only the commands that made an image. So the image is exported ("docker save")
// when its files are looked at, and its layers are indexed while the export streams by: nothing is
// written to disk, only names, modes, sizes and hashes are kept, of one image at a time, and of so many
// files at most. A file that is viewed is read out of a second export. An engine that is berth's answers for itself.
package foreign

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"berth/engine/api/berthapi"
	"berth/tui/layers"
)

// Docker is what is asked of every engine (*client.Client).
type Docker interface {
	ImageInspect(ctx context.Context, ref string, o ...client.ImageInspectOption) (client.ImageInspectResult, error)
	ImageHistory(ctx context.Context, ref string, o ...client.ImageHistoryOption) (client.ImageHistoryResult, error)
	ImageSave(ctx context.Context, refs []string, o ...client.ImageSaveOption) (client.ImageSaveResult, error)
}

// Browser is a layers.Berth for every engine. It is safe for concurrent use.
type Browser struct {
	layers.Berth
	docker Docker
	start  func(func())

	mu  sync.Mutex
	job *job // of the image that was looked at last
}

// New is a browser that asks berth's routes first. Its goroutines are begun with start.
func New(berth layers.Berth, docker Docker, start func(func())) *Browser {
	return &Browser{Berth: berth, docker: docker, start: start}
}

// patience is how long an export goes on that nobody waits for: choosing another layer is no reason to begin again.
const patience = 2 * time.Second

// job is the indexing of an image.
type job struct {
	id      string
	cancel  context.CancelFunc
	done    chan struct{}
	waiting int
	given   bool // up: it is of no use any more

	err    error // these are set when done is closed
	steps  []step
	layers []*layer // of the steps that are not empty
	unions sync.Mutex
	last   int // the union that is kept, of so many layers
	union  []*entry
	waste  berthapi.Waste
}

// Close ends what is under way.
func (b *Browser) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.job != nil {
		b.job.cancel()
		b.job = nil
	}
}

// known is the index of an image when there is one, or one is being made.
func (b *Browser) known(ctx context.Context, ref string) (id string, j *job, err error) {
	found, err := b.docker.ImageInspect(ctx, ref)
	if err != nil {
		return "", nil, fmt.Errorf("looking for the image %s: %w", ref, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if j = b.job; j == nil || j.id != found.ID {
		return found.ID, nil, nil
	}
	return found.ID, j, nil
}

// index waits for the index of an image, which is made if need be.
func (b *Browser) index(ctx context.Context, ref string) (*job, error) {
	id, _, err := b.known(ctx, ref)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	j := b.job
	if j == nil || j.id != id || j.given || j.ended() && j.err != nil {
		if j != nil {
			j.cancel()
		}
		j = b.begin(id)
		b.job = j
	}
	j.waiting++
	b.mu.Unlock()
	defer b.left(j)
	select {
	case <-j.done:
		return j, j.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// left is called when one waits no longer.
func (b *Browser) left(j *job) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if j.waiting--; j.waiting > 0 {
		return
	}
	time.AfterFunc(patience, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if j.waiting == 0 && !j.ended() {
			j.given = true
			j.cancel()
		}
	})
}

// ended tells whether the result is there.
func (j *job) ended() bool {
	select {
	case <-j.done:
		return true
	default:
		return false
	}
}

// begin starts the export of an image.
func (b *Browser) begin(id string) *job {
	ctx, cancel := context.WithCancel(context.Background())
	j := &job{id: id, cancel: cancel, done: make(chan struct{})}
	b.start(func() {
		defer close(j.done)
		defer cancel()
		r, err := b.docker.ImageSave(ctx, []string{id})
		if err != nil {
			j.err = fmt.Errorf("exporting the image to see its files: %w", err)
			return
		}
		defer r.Close()
		if j.steps, j.layers, j.err = readExport(r); j.err == nil {
			j.waste = waste(j.layers)
		}
	})
	return j
}

// Layers is the history of an image; with counts and sizes of files once its files were looked at.
func (b *Browser) Layers(ctx context.Context, ref string) ([]berthapi.Layer, error) {
	list, err := b.Berth.Layers(ctx, ref)
	if !errors.Is(err, berthapi.ErrUnsupported) {
		return list, err
	}
	_, j, err := b.known(ctx, ref)
	if err != nil {
		return nil, err
	}
	if j != nil && j.ended() && j.err == nil {
		return j.list(), nil
	}
	history, err := b.docker.ImageHistory(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("asking for the history of %s: %w", ref, err)
	}
	for i := len(history.Items) - 1; i >= 0; i-- {
		h := history.Items[i]
		list = append(list, berthapi.Layer{Index: len(list), Size: h.Size, CreatedBy: h.CreatedBy, Comment: h.Comment, Empty: h.Size == 0})
	}
	return list, nil
}

// CountsLate tells the browser to ask for the layers again.
func (*Browser) CountsLate() {}

// list are the layers as the API has them.
func (j *job) list() (list []berthapi.Layer) {
	n := 0
	for i, s := range j.steps {
		out := berthapi.Layer{Index: i, CreatedBy: s.CreatedBy, Comment: s.Comment, Empty: s.Empty}
		if !s.Empty {
			l := j.layers[n]
			out.Size, out.Wasted = l.bytes, l.wasted
			out.Added, out.Modified, out.Deleted = l.added, l.modified, l.deleted
			n++
		}
		list = append(list, out)
	}
	return list
}

// upTo are the layers up to a step, which has to have one.
func (j *job) upTo(step int) ([]*layer, error) {
	n := 0
	for i, s := range j.steps {
		if !s.Empty {
			n++
		}
		if i == step && !s.Empty {
			return j.layers[:n], nil
		}
	}
	return nil, fmt.Errorf("the image has no layer %d: %w", step, errdefs.ErrNotFound)
}

// unionOf is the union of layers; the last one asked for is kept, since it is read in pages.
func (j *job) unionOf(stack []*layer) []*entry {
	j.unions.Lock()
	defer j.unions.Unlock()
	if j.last != len(stack) {
		j.last, j.union = len(stack), union(stack)
	}
	return j.union
}

// Entries are the files of a layer, or of the union up to it.
func (b *Browser) Entries(ctx context.Context, ref string, n int, union bool) iter.Seq2[berthapi.Entry, error] {
	return b.EntriesOf(ctx, ref, n, union, berthapi.Part{})
}

// EntriesOf is Entries for a piece of the tree.
func (b *Browser) EntriesOf(ctx context.Context, ref string, n int, union bool, part berthapi.Part) iter.Seq2[berthapi.Entry, error] {
	return func(yield func(berthapi.Entry, error) bool) {
		for e, err := range b.Berth.EntriesOf(ctx, ref, n, union, part) {
			if errors.Is(err, berthapi.ErrUnsupported) {
				if err := b.exported(ctx, ref, n, union, part, yield); err != nil {
					yield(berthapi.Entry{}, err)
				}
				return
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// exported yields entries of the index.
func (b *Browser) exported(ctx context.Context, ref string, n int, union bool, part berthapi.Part, yield func(berthapi.Entry, error) bool) error {
	j, err := b.index(ctx, ref)
	if err != nil {
		return err
	}
	stack, err := j.upTo(n)
	if err != nil {
		return err
	}
	list := stack[len(stack)-1].entries
	if union {
		list = j.unionOf(stack)
	}
	sent := 0
	for _, e := range list {
		if !within(part, e.path) {
			continue
		}
		if sent++; !yield(e.public(), nil) || sent == part.Limit {
			return nil
		}
	}
	return nil
}

// within tells whether a piece has a path.
func within(part berthapi.Part, p string) bool {
	dir := strings.TrimSuffix(part.Dir, "/")
	rest, ok := strings.CutPrefix(p, dir+"/")
	if !ok {
		return p == dir && part.Depth == 0 && part.After == ""
	}
	return (part.Depth == 0 || strings.Count(rest, "/") < part.Depth) && (part.After == "" || compare(p, part.After) > 0)
}

// public is an entry as the API has it.
func (e *entry) public() berthapi.Entry {
	return berthapi.Entry{Path: e.path, Kind: e.kind, Type: berthapi.TypeOf(e.mode), Mode: berthapi.UnixMode(e.mode),
		UID: int(e.uid), GID: int(e.gid), Size: e.size, Link: e.link}
}

// Waste is what the image carries in vain.
func (b *Browser) Waste(ctx context.Context, ref string) (berthapi.Waste, error) {
	w, err := b.Berth.Waste(ctx, ref)
	if !errors.Is(err, berthapi.ErrUnsupported) {
		return w, err
	}
	j, err := b.index(ctx, ref)
	if err != nil {
		return w, err
	}
	return j.waste, nil
}

// LayerFile opens a file as a layer holds it, out of another export.
func (b *Browser) LayerFile(ctx context.Context, ref string, n int, path string) (io.ReadCloser, error) {
	r, err := b.Berth.LayerFile(ctx, ref, n, path)
	if !errors.Is(err, berthapi.ErrUnsupported) {
		return r, err
	}
	j, err := b.index(ctx, ref)
	if err != nil {
		return nil, err
	}
	stack, err := j.upTo(n)
	if err != nil {
		return nil, err
	}
	l := stack[len(stack)-1]
	e, ok := l.find(path)
	for range 8 { // what a hard link names is in the same layer
		if ok && e.mode.IsRegular() && e.link != "" {
			e, ok = l.find(e.link)
		}
	}
	if !ok || e.kind == berthapi.Deleted || !e.mode.IsRegular() {
		return nil, fmt.Errorf("layer %d holds no file %s: %w", n, path, errdefs.ErrNotFound)
	}
	return b.file(ctx, j.id, l.member, e.path)
}
