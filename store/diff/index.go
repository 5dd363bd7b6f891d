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
//	          entries (8), CRC-32C of table and these (4), magic (8)
//
// Numbers are varints, in the trailer little-endian. A reader loads the table
// and then only the blocks it is asked for.
const (
	indexMagic   = "berthix1"
	trailerSize  = 8 + 4 + 8 + 4 + 8
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
)

// WriteIndex sorts the entries and makes them the index file at path, durably.
func WriteIndex(path string, entries []Entry) (err error) {
	slices.SortFunc(entries, func(a, b Entry) int { return ComparePaths(a.Path, b.Path) })
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
	w := bufio.NewWriterSize(f, 64<<10)
	err = encodeIndex(w, entries)
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	err = durable.Rename(f.Name(), path)
	return err
}

// encodeIndex writes sorted entries in the form described above.
func encodeIndex(w io.Writer, entries []Entry) error {
	var table, block []byte
	var offset uint64
	blocks := uint32(0)
	for start := 0; start < len(entries); start += blockEntries {
		part := entries[start:min(start+blockEntries, len(entries))]
		block = block[:0]
		prev := ""
		for i := range part {
			block = appendEntry(block, prev, &part[i])
			prev = part[i].Path
		}
		block = binary.LittleEndian.AppendUint32(block, crc32.Checksum(block, castagnoli))
		if _, err := w.Write(block); err != nil {
			return err
		}
		table = binary.AppendUvarint(table, uint64(len(block)))
		table = appendString(table, part[0].Path)
		offset += uint64(len(block))
		blocks++
	}
	table = binary.LittleEndian.AppendUint64(table, offset)
	table = binary.LittleEndian.AppendUint32(table, blocks)
	table = binary.LittleEndian.AppendUint64(table, uint64(len(entries)))
	table = binary.LittleEndian.AppendUint32(table, crc32.Checksum(table, castagnoli))
	table = append(table, indexMagic...)
	_, err := w.Write(table)
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
	return b
}

// decoder reads what the append functions wrote. After an error it returns
// zeros; the caller looks at bad once per entry.
type decoder struct {
	b   []byte
	bad bool
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
		e.Digest = digest.NewDigestFromBytes(digest.SHA256, d.bytes(32))
	}
	if flags&flagDevice != 0 {
		e.Device = d.uvarint()
	}
	e.Opaque = flags&flagOpaque != 0
	return e
}
