package layers

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path"
	"reflect"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"berth/engine/api/berthapi"
	"berth/tui/layers/tree"
)

// place is a row of the left list, and whether the union up to it is meant.
type place struct {
	layer int // berthapi.Layer.Index; live for the writable layer
	union bool
	// against is 1 + the index of the layer that this one is compared with; 0
	// when nothing is compared.
	against int
}

// live is the place of the writable layer.
const live = -1

// Messages of the browser to itself. gen is the number of the Show they belong
// to; those of an earlier one are dropped.
type (
	layersMsg struct {
		gen    int
		layers []berthapi.Layer
		err    error
	}
	treeMsg struct {
		gen   int
		seq   int // of the fetch: one that was cancelled reports nothing
		place place
		tree  *tree.Tree
		more  *loader // the tree is only the beginning
		err   error
	}
	liveMsg struct {
		gen     int
		changes []berthapi.Change
		bare    bool // from docker's own route: no sizes and modes
		same    bool // nothing changed since the last time
		tree    *tree.Tree
		took    time.Duration
		at      time.Time
		err     error
	}
	pollMsg struct{ gen int }
)

// loadLayers fetches the list of layers.
func (m *Model) loadLayers() tea.Cmd {
	gen, ctx, cfg, image := m.gen, m.ctx, m.cfg, m.subject.Image
	return func() tea.Msg {
		layers, err := cfg.Berth.Layers(ctx, image)
		return layersMsg{gen: gen, layers: layers, err: err}
	}
}

// firstAfter is when a layer that takes long is shown as far as it is known.
const firstAfter = 60 * time.Millisecond

// loadTree fetches the files of a place. Only one place is fetched at a time:
// another choice cancels the one before.
func (m *Model) loadTree(p place) tea.Cmd {
	m.cancelTree()
	ctx, cancel := context.WithCancel(m.ctx)
	m.cancelTree = cancel
	m.loading = p
	m.treeSeq++
	l := &loader{gen: m.gen, seq: m.treeSeq, place: p, builder: tree.NewBuilder(), cancel: cancel}
	from := m.source()
	return func() tea.Msg {
		l.next, l.stop = iter.Pull2(from.entries(ctx, p))
		return l.read(time.After(firstAfter))
	}
}

// loader reads the files of a place in two steps: what comes soon, and the
// rest. It belongs to the command that runs, and there is one at a time.
type loader struct {
	gen, seq int
	place    place
	builder  *tree.Builder
	next     func() (berthapi.Entry, error, bool)
	stop     func()
	cancel   context.CancelFunc
}

// read goes on until the end, or until enough is signalled: then the message
// has what there is, and the loader to go on with.
func (l *loader) read(enough <-chan time.Time) treeMsg {
	msg := treeMsg{gen: l.gen, seq: l.seq, place: l.place}
	for n := 0; ; n++ {
		if n%512 == 511 {
			select {
			case <-enough:
				msg.tree, msg.more = l.builder.Snapshot(), l
				return msg
			default:
			}
		}
		e, err, ok := l.next()
		if !ok || err != nil {
			l.close()
			if msg.err = err; err == nil {
				msg.tree = l.builder.Tree()
			}
			return msg
		}
		l.builder.Add(tree.Entry{
			Path: e.Path, Kind: kindOf(e.Kind), Mode: e.FileMode(), UID: e.UID, GID: e.GID,
			Size: e.Size, Link: e.Link, Bare: e.Kind == berthapi.Deleted,
		})
	}
}

// rest is the command that reads on to the end.
func (l *loader) rest() tea.Msg { return l.read(nil) }

// drop is the command that ends a loader nobody wants any more.
func (l *loader) drop() tea.Msg { l.close(); return nil }

// close ends the request, read to its end or not.
func (l *loader) close() {
	l.cancel()
	l.stop()
}

// kindOf is the kind of the API as the tree has it.
func kindOf(k berthapi.Kind) tree.Kind {
	switch k {
	case berthapi.Added:
		return tree.Added
	case berthapi.Modified:
		return tree.Modified
	case berthapi.Metadata:
		return tree.Metadata
	case berthapi.Deleted:
		return tree.Deleted
	}
	return tree.Unchanged
}

// poll fetches the live difference. The list is compared with the one before,
// so that nothing is built and nothing moves while nothing changes.
func (m *Model) poll() tea.Cmd {
	gen, ctx, cfg, id, before := m.gen, m.ctx, m.cfg, m.subject.Container, m.changes
	known := m.liveTree != nil
	bare := m.bare
	return func() tea.Msg {
		start := time.Now()
		msg := liveMsg{gen: gen, bare: bare}
		if !bare {
			msg.changes, msg.err = collected(cfg.Berth.Changes(ctx, id))
			if errors.Is(msg.err, berthapi.ErrUnsupported) {
				msg.bare = true
			}
		}
		if msg.bare {
			msg.changes, msg.err = dockerChanges(ctx, cfg.Docker, id)
		}
		msg.at = time.Now()
		msg.took = msg.at.Sub(start)
		if msg.err != nil {
			return msg
		}
		if msg.same = known && reflect.DeepEqual(msg.changes, before); !msg.same {
			msg.tree = liveTree(msg.changes, msg.bare)
		}
		return msg
	}
}

// collected are all changes, or those up to an error.
func collected(list iter.Seq2[berthapi.Change, error]) (all []berthapi.Change, err error) {
	for c, err := range list {
		if err != nil {
			return all, err
		}
		all = append(all, c)
	}
	return all, nil
}

// dockerChanges is the difference as docker's API tells it: paths and kinds.
func dockerChanges(ctx context.Context, docker Docker, id string) ([]berthapi.Change, error) {
	diff, err := docker.ContainerDiff(ctx, id, client.ContainerDiffOptions{})
	if err != nil {
		return nil, fmt.Errorf("asking what the container changed: %w", err)
	}
	var all []berthapi.Change
	for _, d := range diff.Changes {
		kind := berthapi.ChangeModified
		switch d.Kind {
		case container.ChangeAdd:
			kind = berthapi.ChangeAdded
		case container.ChangeDelete:
			kind = berthapi.ChangeDeleted
		}
		all = append(all, berthapi.Change{Path: d.Path, Kind: kind})
	}
	return all, nil
}

// liveTree is the tree of a live difference. A directory above a change that is
// "modified" was only copied up; what happened to it is not worth a mark.
func liveTree(changes []berthapi.Change, bare bool) *tree.Tree {
	above := map[string]bool{}
	for _, ch := range changes {
		above[path.Dir(ch.Path)] = true
	}
	b := tree.NewBuilder()
	for _, ch := range changes {
		kind := changeKinds[ch.Kind]
		if kind == tree.Modified && (ch.Mode.IsDir() || bare && above[ch.Path]) {
			if kind = tree.Unchanged; !above[ch.Path] {
				continue
			}
		}
		size := ch.Size
		if !ch.Mode.IsRegular() {
			size = 0
		}
		b.Add(tree.Entry{
			Path: ch.Path, Kind: kind, Mode: ch.Mode, UID: ch.UID, GID: ch.GID, Size: size, Link: ch.Link,
			Bare: bare || kind == tree.Deleted,
		})
	}
	return b.Tree()
}

var changeKinds = map[berthapi.ChangeKind]tree.Kind{
	berthapi.ChangeAdded: tree.Added, berthapi.ChangeModified: tree.Modified,
	berthapi.ChangeMetadata: tree.Metadata, berthapi.ChangeDeleted: tree.Deleted,
}

const (
	// The live difference is fetched again after pollMin, or after pollCost
	// times what the last fetch took, so that a large one stays cheap.
	pollMin  = 450 * time.Millisecond
	pollMax  = 10 * time.Second
	pollCost = 20
)

// schedule asks for the next fetch.
func (m *Model) schedule(took time.Duration) tea.Cmd {
	gen := m.gen
	wait := min(max(pollMin, pollCost*took), pollMax)
	return m.after(wait, func(time.Time) tea.Msg { return pollMsg{gen} })
}
