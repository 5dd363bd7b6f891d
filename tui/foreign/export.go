package foreign

import (
	"archive/tar"
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"berth/engine/api/berthapi"
)

const (
	// maxEntries and maxNames (bytes) bound the index of an image, and so the memory.
	maxEntries = 500_000
	maxNames   = 64 << 20
	// maxText bounds the manifests and configurations of an export together, in bytes.
	maxText = 16 << 20
	// maxWindow bounds what a layer compressed with zstd may ask for, in bytes.
	maxWindow = 64 << 20
)

// entry is a path of a layer.
type entry struct {
	path, link string
	mode       fs.FileMode
	uid, gid   int32
	size       int64
	sum        uint64 // of the content
	kind       berthapi.Kind
	implied    bool // a directory that the layer does not name, only what is in it
}

// layer is what one tar of layers holds.
type layer struct {
	member  string   // of the export
	entries []*entry // ordered by path; those that it deletes too
	opaque  []string // directories that show nothing of the layers below

	bytes                    int64 // of its files
	added, modified, deleted int
	wasted                   int64
	noted                    bool // the kinds of its entries are known
}

// export is what was read of a "docker save" so far. The tar of a layer comes before or after what
// tells its place, so that all are read by the name of their member.
type export struct {
	layers  map[string]*layer
	links   map[string]string // members that are another's
	texts   map[string][]byte
	text    int
	entries int
	names   int
	seed    maphash.Seed
}

// step is a step of an image's history.
type step struct {
	CreatedBy string `json:"created_by"`
	Comment   string `json:"comment"`
	Empty     bool   `json:"empty_layer"`
}

// readExport indexes an image while its export streams by; nothing of it is kept.
func readExport(r io.Reader) (steps []step, layers []*layer, err error) {
	x := &export{layers: map[string]*layer{}, links: map[string]string{}, texts: map[string][]byte{}, seed: maphash.MakeSeed()}
	err = members(r, func(head *tar.Header, name string, r *bufio.Reader) error {
		switch head.Typeflag {
		case tar.TypeSymlink:
			x.links[name] = path.Join(path.Dir(name), head.Linkname)
		case tar.TypeLink:
			x.links[name] = path.Clean(head.Linkname)
		case tar.TypeReg:
			return x.member(name, head.Size, r)
		}
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("reading the image's export: %w", err)
	}
	return x.ordered()
}

// members calls do for each member of an export.
func members(r io.Reader, do func(head *tar.Header, name string, r *bufio.Reader) error) error {
	buffer := bufio.NewReaderSize(nil, 64<<10)
	for t := tar.NewReader(r); ; {
		head, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		buffer.Reset(t)
		name := path.Clean(head.Name)
		if err := do(head, name, buffer); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
}

// member takes in a member: the tar of a layer, or JSON. Anything else means nothing.
func (x *export) member(name string, size int64, r *bufio.Reader) error {
	head, _ := r.Peek(512) // what is shorter is told by what there is
	switch {
	case isLayer(name, head):
		l := &layer{member: name}
		x.layers[name] = l
		return x.layer(l, r)
	case len(head) == 0 || head[0] != '{' && head[0] != '[':
		return nil
	}
	if x.text += int(min(size, maxText)); x.text >= maxText {
		return errors.New("the descriptions of the image are too large to be read")
	}
	text, err := io.ReadAll(r)
	x.texts[name] = text
	return err
}

var magics = []string{"\x1f\x8b", "\x28\xb5\x2f\xfd"}

// isLayer tells a layer from its name or its first bytes.
func isLayer(name string, head []byte) bool {
	return strings.HasSuffix(name, ".tar") || len(head) == 512 && string(head[257:262]) == "ustar" ||
		slices.ContainsFunc(magics, func(m string) bool { return strings.HasPrefix(string(head), m) })
}

// unpacked is the tar in r, which may be compressed.
func unpacked(r *bufio.Reader) (io.ReadCloser, error) {
	head, _ := r.Peek(4)
	switch {
	case strings.HasPrefix(string(head), magics[0]):
		return gzip.NewReader(r)
	case strings.HasPrefix(string(head), magics[1]):
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, err
		}
		return z.IOReadCloser(), nil
	}
	return io.NopCloser(r), nil
}

// layer indexes the tar of a layer.
func (x *export) layer(l *layer, r *bufio.Reader) error {
	plain, err := unpacked(r)
	if err != nil {
		return err
	}
	defer plain.Close()
	paths := map[string]*entry{}
	for t := tar.NewReader(plain); ; {
		head, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		e, err := x.entry(l, head, t)
		if err != nil {
			return err
		}
		for ; e != nil && e.path != "/"; e = parent(e) {
			if old := paths[e.path]; old != nil && e.implied {
				break
			}
			paths[e.path] = e
			x.entries++
			if x.names += len(e.path) + len(e.link); x.entries > maxEntries || x.names > maxNames {
				return fmt.Errorf("the image has more than %d files, or names of more than %d MB: this is not shown for engines other than berth's", maxEntries, maxNames>>20)
			}
		}
	}
	for _, e := range paths {
		if target := paths[e.link]; e.mode.IsRegular() && e.link != "" && target != nil {
			e.size, e.sum = target.size, target.sum
		}
		l.entries = append(l.entries, e)
	}
	slices.SortFunc(l.entries, func(a, b *entry) int { return compare(a.path, b.path) })
	return nil
}

// parent is the directory that e is in, in case the layer does not name it.
func parent(e *entry) *entry {
	return &entry{path: path.Dir(e.path), mode: fs.ModeDir | 0o755, implied: true}
}

// entry is what a header says; nil if it is no path. What is deleted has its kind already.
func (x *export) entry(l *layer, head *tar.Header, r io.Reader) (*entry, error) {
	const whiteout, opaque = ".wh.", ".wh..wh..opq"
	name := path.Clean("/" + head.Name)
	dir, base := path.Split(name)
	switch {
	case base == opaque:
		l.opaque = append(l.opaque, path.Clean(dir))
		return nil, nil
	case strings.HasPrefix(base, whiteout+whiteout) || head.Typeflag == tar.TypeXGlobalHeader:
		return nil, nil
	case strings.HasPrefix(base, whiteout):
		return &entry{path: dir + strings.TrimPrefix(base, whiteout), kind: berthapi.Deleted}, nil
	}
	e := &entry{path: name, mode: head.FileInfo().Mode(), uid: int32(head.Uid), gid: int32(head.Gid), link: head.Linkname}
	switch head.Typeflag {
	case tar.TypeLink:
		e.mode, e.link = e.mode.Perm(), path.Clean("/"+head.Linkname)
	case tar.TypeReg:
		var sum maphash.Hash
		sum.SetSeed(x.seed)
		n, err := io.Copy(&sum, r)
		if err != nil {
			return nil, err
		}
		e.size, e.sum = n, sum.Sum64()
		l.bytes += n
	}
	return e, nil
}

// ordered are the layers, lowest first, and the history that made them, by what the manifest says.
func (x *export) ordered() ([]step, []*layer, error) {
	var manifest []struct {
		Config string
		Layers []string
	}
	if err := x.json("manifest.json", &manifest); err != nil {
		return nil, nil, err
	}
	if len(manifest) != 1 {
		return nil, nil, fmt.Errorf("the export holds %d images instead of one", len(manifest))
	}
	var config struct {
		History []step `json:"history"`
	}
	if err := x.json(path.Clean(manifest[0].Config), &config); err != nil {
		return nil, nil, err
	}
	var layers []*layer
	for _, name := range manifest[0].Layers {
		l := x.layers[x.resolved(path.Clean(name))]
		if l == nil {
			return nil, nil, fmt.Errorf("the export lacks the layer %s", name)
		}
		again := *l // a layer may occur twice, with other kinds
		again.entries = make([]*entry, len(l.entries))
		for i, e := range l.entries {
			e := *e
			again.entries[i] = &e
		}
		layers = append(layers, &again)
	}
	return matched(config.History, len(layers)), layers, nil
}

// matched is a history with as many steps that are not empty as there are layers.
func matched(history []step, layers int) []step {
	for _, s := range history {
		if !s.Empty {
			layers--
		}
	}
	for ; layers > 0; layers-- {
		history = append(history, step{Comment: "not in the image's history"})
	}
	for i := len(history) - 1; i >= 0 && layers < 0; i-- {
		if !history[i].Empty {
			history[i].Empty = true
			layers++
		}
	}
	return history
}

// resolved follows links between members.
func (x *export) resolved(name string) string {
	for range 8 {
		to, ok := x.links[name]
		if !ok {
			break
		}
		name = to
	}
	return name
}

func (x *export) json(name string, into any) error {
	text, ok := x.texts[x.resolved(name)]
	if !ok {
		return fmt.Errorf("the image's export has no %q: this engine exports in a way that is not known", name)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("reading %s of the image's export: %w", name, err)
	}
	return nil
}
