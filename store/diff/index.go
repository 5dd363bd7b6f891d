package diff

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"

	"berth/store/durable"
)

// The index of a layer is a file of its entries in the order of ComparePaths:
//
//	blocks    up to 128 entries each, then a CRC-32C of them. An entry's path
//	          is the number of bytes it shares with the one before (0 at the
//	          start of a block) and the rest
//	table     per block: its size, its first path
//	trailer   table's offset (8 bytes), number of blocks (4), number of
//	          entries (8), of whiteouts among them (8), bytes of files (8),
//	          CRC-32C of table and these (4), magic (8)
//
// Numbers are varints, in the trailer little-endian. A reader loads the table
// and then only the blocks it is asked for.
const (
	indexMagic   = "berthix2"
	trailerSize  = 8 + 4 + 8 + 8 + 8 + 4 + 8
	blockEntries = 128
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Flags of an encoded entry: which of the optional fields follow, and whether
// a directory is opaque.
const (
	flagLink = 1 << iota
	flagDigest
	flagOpaque
	flagDevice
	flagAttrs
)

// WriteIndex sorts the entries and makes them the index file at path, durably.
func WriteIndex(path string, entries []Entry) error {
	slices.SortFunc(entries, func(a, b Entry) int { return ComparePaths(a.Path, b.Path) })
	return writeIndexFile(path, func(w *indexWriter) error {
		for i := range entries {
			if err := w.add(&entries[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// writeIndexFile makes the index file at path of the entries that fill adds.
func writeIndexFile(path string, fill func(*indexWriter) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".index-")
	if err != nil {
		return fmt.Errorf("write index: %w", err)
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
			err = fmt.Errorf("write index: %w", err)
		}
	}()
	// The index is made durable before its layer is committed, so a committed
	// layer always has a whole one.
	err = encodeIndex(f, fill)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return durable.Rename(f.Name(), path)
}

// encodeIndex writes an index of the entries that fill adds, in their order.
func encodeIndex(f io.Writer, fill func(*indexWriter) error) error {
	w := &indexWriter{w: bufio.NewWriterSize(f, 64<<10)}
	if err := fill(w); err != nil {
		return err
	}
	if err := w.finish(); err != nil {
		return err
	}
	return w.w.Flush()
}

// indexWriter writes an index entry by entry. Of what it wrote it keeps the
// table only.
type indexWriter struct {
	w            *bufio.Writer
	table, block []byte
	first, prev  string // paths of the open block
	inBlock      int
	offset       uint64
	blocks       uint32
	entries      uint64
	whiteouts    uint64
	size         uint64
}

// add writes an entry, which must sort after the one before.
func (w *indexWriter) add(e *Entry) error {
	if w.inBlock == 0 {
		w.first, w.prev = e.Path, ""
	}
	w.block = appendEntry(w.block, w.prev, e)
	w.prev = e.Path
	w.inBlock++
	w.entries++
	w.size += uint64(e.Size)
	if e.Type == TypeWhiteout {
		w.whiteouts++
	}
	if w.inBlock == blockEntries {
		return w.flushBlock()
	}
	return nil
}

func (w *indexWriter) flushBlock() error {
	if w.inBlock == 0 {
		return nil
	}
	w.block = binary.LittleEndian.AppendUint32(w.block, crc32.Checksum(w.block, castagnoli))
	if _, err := w.w.Write(w.block); err != nil {
		return err
	}
	w.table = binary.AppendUvarint(w.table, uint64(len(w.block)))
	w.table = appendString(w.table, w.first)
	w.offset += uint64(len(w.block))
	w.blocks++
	w.block, w.inBlock = w.block[:0], 0
	return nil
}

// finish writes the table and the trailer.
func (w *indexWriter) finish() error {
	if err := w.flushBlock(); err != nil {
		return err
	}
	table := w.table
	table = binary.LittleEndian.AppendUint64(table, w.offset)
	table = binary.LittleEndian.AppendUint32(table, w.blocks)
	table = binary.LittleEndian.AppendUint64(table, w.entries)
	table = binary.LittleEndian.AppendUint64(table, w.whiteouts)
	table = binary.LittleEndian.AppendUint64(table, w.size)
	table = binary.LittleEndian.AppendUint32(table, crc32.Checksum(table, castagnoli))
	_, err := w.w.Write(append(table, indexMagic...))
	return err
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendEntry encodes an entry after one whose path is prev.
func appendEntry(b []byte, prev string, e *Entry) []byte {
	shared := 0
	for shared < min(len(prev), len(e.Path)) && prev[shared] == e.Path[shared] {
		shared++
	}
	b = binary.AppendUvarint(b, uint64(shared))
	b = appendString(b, e.Path[shared:])
	flags := byte(0)
	var sum []byte
	if e.Digest != "" {
		// A digest that Apply computed always decodes.
		sum, _ = hex.DecodeString(e.Digest.Encoded())
	}
	if len(sum) == sha256.Size {
		flags |= flagDigest
	}
	if e.Link != "" {
		flags |= flagLink
	}
	if e.Opaque {
		flags |= flagOpaque
	}
	if e.Device != 0 {
		flags |= flagDevice
	}
	if e.Attrs != 0 {
		flags |= flagAttrs
	}
	b = append(b, byte(e.Type), flags)
	b = binary.AppendUvarint(b, uint64(e.Mode))
	b = binary.AppendUvarint(b, uint64(e.UID))
	b = binary.AppendUvarint(b, uint64(e.GID))
	b = binary.AppendUvarint(b, uint64(e.Size))
	b = binary.AppendVarint(b, e.ModTime.Unix())
	b = binary.AppendUvarint(b, uint64(e.ModTime.Nanosecond()))
	if flags&flagLink != 0 {
		b = appendString(b, e.Link)
	}
	if flags&flagDigest != 0 {
		b = append(b, sum...)
	}
	if flags&flagDevice != 0 {
		b = binary.AppendUvarint(b, e.Device)
	}
	if flags&flagAttrs != 0 {
		b = binary.LittleEndian.AppendUint64(b, e.Attrs)
	}
	return b
}

// decoder reads what the append functions wrote. After an error it returns
// zeros; the caller looks at bad once per entry.
type decoder struct {
	b     []byte
	bad   bool
	blind bool // leaves digests out
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad = true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.bad = true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) bytes(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.bad = true
		return nil
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

// entry decodes the entry after one whose path is prev.
func (d *decoder) entry(prev string) (e Entry) {
	shared := d.uvarint()
	if shared > uint64(len(prev)) {
		d.bad = true
		return e
	}
	e.Path = prev[:shared] + string(d.bytes(d.uvarint()))
	head := d.bytes(2)
	if d.bad {
		return e
	}
	e.Type = Type(head[0])
	flags := head[1]
	e.Mode = uint32(d.uvarint())
	e.UID, e.GID = int(d.uvarint()), int(d.uvarint())
	e.Size = int64(d.uvarint())
	sec := d.varint()
	e.ModTime = time.Unix(sec, int64(d.uvarint()))
	if flags&flagLink != 0 {
		e.Link = string(d.bytes(d.uvarint()))
	}
	if flags&flagDigest != 0 {
		// 32 bytes instead of 71 letters: digests are most of an index.
		if sum := d.bytes(32); !d.blind {
			e.Digest = digest.NewDigestFromBytes(digest.SHA256, sum)
		}
	}
	if flags&flagDevice != 0 {
		e.Device = d.uvarint()
	}
	if flags&flagAttrs != 0 {
		if attrs := d.bytes(8); !d.bad {
			e.Attrs = binary.LittleEndian.Uint64(attrs)
		}
	}
	e.Opaque = flags&flagOpaque != 0
	return e
}
