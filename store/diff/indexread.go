package diff

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"iter"
	"math"
	"os"
	"sort"

	"github.com/containerd/errdefs"
)

// Index is an open index of a layer. Its methods may be called concurrently;
// iterators read the blocks they come to, so memory does not follow the size
// of the layer.
//
//	for e, err := range index.From("/etc") {
//		if err != nil { … }
//		fmt.Println(e.Path, e.Size)
//	}
type Index struct {
	file      *os.File
	blocks    []indexBlock
	entries   int
	whiteouts int
	size      int64
}

type indexBlock struct {
	offset int64
	size   int
	first  string
}

// OpenIndex opens the index file at path. A damaged one is an error of kind
// DataLoss; one that is missing, or that an earlier version wrote, is of kind
// NotFound: BuildIndex makes it.
func OpenIndex(path string) (*Index, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open index: %w: %w", err, errdefs.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("open index: %w", err)
	}
	x, err := newIndex(f)
	if err != nil {
		return nil, fmt.Errorf("open index %s: %w", path, err)
	}
	return x, nil
}

// newIndex reads the table of an index. It owns the file from now on.
func newIndex(f *os.File) (*Index, error) {
	x := &Index{file: f}
	if err := x.readTable(); err != nil {
		f.Close()
		return nil, err
	}
	return x, nil
}

// Close ends the use of the index.
func (x *Index) Close() error { return x.file.Close() }

// Len is the number of entries.
func (x *Index) Len() int { return x.entries }

// Size is the number of bytes of the layer's files.
func (x *Index) Size() int64 { return x.size }

// errOldIndex tells of an index in the form of an earlier version: it is to be
// made anew.
var errOldIndex = fmt.Errorf("an earlier version wrote it: %w", errdefs.ErrNotFound)

func damaged(what string) error {
	return fmt.Errorf("%s: %w", what, errdefs.ErrDataLoss)
}

func (x *Index) readTable() error {
	fi, err := x.file.Stat()
	if err != nil {
		return err
	}
	if fi.Size() < trailerSize {
		return damaged("too short")
	}
	var t [trailerSize]byte
	if _, err := x.file.ReadAt(t[:], fi.Size()-trailerSize); err != nil {
		return err
	}
	le := binary.LittleEndian
	if magic := string(t[40:]); magic != indexMagic {
		if magic == "berthix1" {
			return errOldIndex
		}
		return damaged("bad trailer")
	}
	offset, blocks, entries, whiteouts, size := le.Uint64(t[0:]), le.Uint32(t[8:]), le.Uint64(t[12:]), le.Uint64(t[20:]), le.Uint64(t[28:])
	if offset > uint64(fi.Size()-trailerSize) || entries > uint64(blocks)*blockEntries || whiteouts > entries || size > math.MaxInt64 {
		return damaged("bad trailer")
	}
	table := make([]byte, uint64(fi.Size())-offset-12) // without CRC and magic
	if _, err := x.file.ReadAt(table, int64(offset)); err != nil {
		return err
	}
	if crc32.Checksum(table, castagnoli) != le.Uint32(t[36:]) {
		return damaged("bad checksum of the table")
	}
	d := decoder{b: table}
	at := int64(0)
	for range blocks {
		b := indexBlock{offset: at, size: int(d.uvarint())}
		b.first = string(d.bytes(d.uvarint()))
		at += int64(b.size)
		if d.bad || b.size < 4 || uint64(at) > offset {
			return damaged("bad table")
		}
		x.blocks = append(x.blocks, b)
	}
	x.entries, x.whiteouts, x.size = int(entries), int(whiteouts), int64(size)
	return nil
}

// block returns the entries of block i.
func (x *Index) block(i int) ([]Entry, error) {
	b := x.blocks[i]
	buf := make([]byte, b.size)
	if _, err := io.ReadFull(io.NewSectionReader(x.file, b.offset, int64(b.size)), buf); err != nil {
		return nil, fmt.Errorf("read index: %w", err)
	}
	data, sum := buf[:b.size-4], binary.LittleEndian.Uint32(buf[b.size-4:])
	if crc32.Checksum(data, castagnoli) != sum {
		return nil, damaged("read index: bad checksum of a block")
	}
	d := decoder{b: data}
	entries := make([]Entry, 0, blockEntries)
	prev := ""
	for len(d.b) > 0 {
		e := d.entry(prev)
		if d.bad {
			return nil, damaged("read index: bad entry")
		}
		entries = append(entries, e)
		prev = e.Path
	}
	return entries, nil
}

// find returns the block that holds path or the place where it would be.
func (x *Index) find(path string) int {
	i := sort.Search(len(x.blocks), func(i int) bool { return ComparePaths(x.blocks[i].first, path) > 0 })
	return max(i-1, 0)
}

// cursor walks an index in order and can jump ahead.
type cursor struct {
	x       *Index
	next    int // block after the loaded one
	entries []Entry
	err     error
}

// seek moves to the first entry that is not before path.
func (c *cursor) seek(path string) {
	// Mostly it is a few entries ahead.
	if n := len(c.entries); n == 0 || ComparePaths(c.entries[0].Path, path) > 0 || ComparePaths(c.entries[n-1].Path, path) < 0 {
		if i := c.x.find(path); c.entries == nil || i != c.next-1 {
			c.next, c.entries = i, nil
		}
	}
	for e := c.peek(); e != nil && ComparePaths(e.Path, path) < 0; e = c.peek() {
		c.entries = c.entries[1:]
	}
}

// peek returns the entry at the cursor, nil at the end or after an error.
func (c *cursor) peek() *Entry {
	for len(c.entries) == 0 {
		if c.err != nil || c.next >= len(c.x.blocks) {
			return nil
		}
		if c.entries, c.err = c.x.block(c.next); c.err != nil {
			return nil
		}
		c.next++
	}
	return &c.entries[0]
}

// end moves behind the last entry.
func (c *cursor) end() { c.next, c.entries = len(c.x.blocks), nil }

func (c *cursor) advance() { c.entries = c.entries[1:] }

// All iterates over all entries in the order of ComparePaths.
func (x *Index) All() iter.Seq2[Entry, error] { return x.From("/") }

// From iterates over the entries that are not before path.
func (x *Index) From(path string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		c := &cursor{x: x}
		for c.seek(path); c.peek() != nil; c.advance() {
			if !yield(*c.peek(), nil) {
				return
			}
		}
		if c.err != nil {
			yield(Entry{}, c.err)
		}
	}
}

// Lookup returns the entry of a path, or an error of kind NotFound.
func (x *Index) Lookup(path string) (Entry, error) {
	c := &cursor{x: x}
	c.seek(path)
	e := c.peek()
	if c.err != nil {
		return Entry{}, c.err
	}
	if e == nil || e.Path != path {
		return Entry{}, fmt.Errorf("%s in the layer: %w", path, errdefs.ErrNotFound)
	}
	return *e, nil
}
