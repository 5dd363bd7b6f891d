// Package inflate reads gzip streams (RFC 1952, RFC 1951). Decompressing is most of
// the work of a pull, and this takes half the time that general libraries do: it
// decodes from a 64-bit buffer that is filled without a branch, several literals at
// a time, by tables whose entries say all about a code, and keeps the window in the
// buffer that it writes to.
package inflate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"

	"github.com/containerd/errdefs"
)

const (
	window  = 32 << 10 // how far back a copy may reach
	maxCopy = 258      // bytes of one copy
	// A step of the decoder writes three literals and a copy, which is written
	// in words.
	outSlack = 3 + maxCopy + 8
	outSize  = window + 256<<10
	// A step reads at most two words ahead, which begin up to one behind the end.
	inSlack = 16
	inSize  = 256 << 10
	inZeros = inSlack + 8
)

// Reader decompresses a gzip stream, which may consist of several members. What
// follows the last one is an error, and so is an end within one
// (io.ErrUnexpectedEOF). Other faults of the stream are of kind InvalidArgument.
type Reader struct {
	mu sync.Mutex // held by Read and Close
	*buffers
	src  io.Reader
	err  error // of the stream, once all that is in out was read
	rerr error // of src

	// Input that is not yet in bits is in[pos:end]. After the end of src zeros
	// follow, which must not be used.
	pos, end int
	bits     uint64 // what is above nbits are the bits that come next, or zeros
	nbits    uint

	read, done int // out[read:done] is to be read
	start      int // of what the member wrote, as far as it is still there

	crc   uint32
	size  uint32 // of the member, modulo 2^32
	block block
	last  bool // the block is the last one
	store int  // bytes left of a stored block
}

// block is what is being decoded.
type block int

const (
	noBlock     block = iota // between two
	storedBlock              // bytes as they are
	codedBlock
)

// buffers are used again by the next stream.
type buffers struct {
	in         [inSize + inZeros]byte
	out        [outSize + outSlack]byte
	lits       [litTable]uint32
	dists      [distTable]uint32
	lens       [maxLits + maxDists]uint8
	second     [2]uint // bits of the second look into lits and dists
	fixedTable bool    // lits and dists are those of fixed codes
}

var pool = sync.Pool{New: func() any { return new(buffers) }}

var errClosed = errors.New("gzip: the reader is closed")

// NewReader reads the header of a gzip stream. The reader must be closed, which does
// not close r; it may read more of r than the stream.
func NewReader(r io.Reader) (*Reader, error) {
	z := &Reader{buffers: pool.Get().(*buffers), src: r}
	if err := z.header(); err != nil {
		z.Close()
		return nil, err
	}
	return z, nil
}

// Close lets go of the memory, which another stream may have then: so it waits for a
// Read that is under way.
func (z *Reader) Close() error {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.buffers != nil {
		pool.Put(z.buffers)
		z.buffers, z.err, z.read, z.done = nil, errClosed, 0, 0
	}
	return nil
}

// corrupt is the error of a bad stream.
func corrupt(what string) error {
	return fmt.Errorf("gzip: %s: %w", what, errdefs.ErrInvalidArgument)
}

// Read returns what comes next of the decompressed stream.
func (z *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	for z.read == z.done {
		if z.err != nil {
			return 0, z.err
		}
		z.err = z.more()
	}
	n := copy(p, z.out[z.read:z.done])
	z.read += n
	return n, nil
}

// more decodes until the buffer is full or there is an error, which is io.EOF at
// the end.
func (z *Reader) more() (err error) {
	if z.done > outSize-window {
		// What was read goes, but for the window.
		from := z.done - window
		copy(z.out[:], z.out[from:z.done])
		z.start = max(0, z.start-from)
		z.done = window
		z.read = window
	}
	from := z.done
	for err == nil && z.done < outSize {
		switch z.block {
		case storedBlock:
			err = z.stored()
		case codedBlock:
			err = z.coded()
		default:
			if z.last {
				z.sum(from)
				from = z.done
				err = z.trailer()
			} else {
				err = z.blockHeader()
			}
		}
	}
	z.sum(from)
	return err
}

// sum takes what was written since from into the member's checksum.
func (z *Reader) sum(from int) {
	z.crc = crc32.Update(z.crc, crc32.IEEETable, z.out[from:z.done])
	z.size += uint32(z.done - from)
}

// fill makes sure that a step of the decoder finds its input, unless src ends.
func (z *Reader) fill() error {
	if z.end-z.pos >= inSlack || z.rerr == io.EOF {
		return nil
	}
	if z.rerr != nil {
		return z.rerr
	}
	// What is in bits may be taken back.
	keep := min(z.pos, 8)
	z.end = copy(z.in[:], z.in[z.pos-keep:z.end])
	z.pos = keep
	for z.end-z.pos < inSlack && z.rerr == nil {
		var n int
		n, z.rerr = z.src.Read(z.in[z.end:inSize])
		z.end += n
	}
	clear(z.in[z.end : z.end+inZeros])
	if z.rerr == io.EOF {
		return nil
	}
	if z.end-z.pos >= inSlack {
		return nil // what is there first
	}
	return z.rerr
}

// take returns n bits, at most 32.
func (z *Reader) take(n uint) (uint32, error) {
	if z.nbits < n {
		if err := z.fill(); err != nil {
			return 0, err
		}
		z.refill()
	}
	v := uint32(z.bits & (1<<n - 1))
	z.bits >>= n
	z.nbits -= n
	return v, z.overrun()
}

// refill fills bits.
func (z *Reader) refill() {
	if z.pos <= z.end { // else there are zeros only
		z.bits |= binary.LittleEndian.Uint64(z.in[z.pos:]) << (z.nbits & 63)
	}
	z.pos += int((63 - z.nbits) >> 3)
	z.nbits |= 56
}

// overrun tells whether more was used than there is.
func (z *Reader) overrun() error {
	if z.pos-int(z.nbits>>3) > z.end {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// align goes to the next byte of the input and takes what is in bits back.
func (z *Reader) align() error {
	z.pos -= int(z.nbits >> 3)
	z.bits, z.nbits = 0, 0
	if z.pos > z.end {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// bytes returns n bytes of the input, which is aligned; at most inSlack.
func (z *Reader) bytes(n int) ([]byte, error) {
	if err := z.fill(); err != nil {
		return nil, err
	}
	if z.end-z.pos < n {
		z.pos = z.end
		return nil, io.ErrUnexpectedEOF
	}
	z.pos += n
	return z.in[z.pos-n : z.pos], nil
}

// stored copies from a stored block.
func (z *Reader) stored() error {
	if err := z.fill(); err != nil {
		return err
	}
	n := min(z.store, z.end-z.pos, outSize-z.done)
	if n == 0 && z.store > 0 {
		return io.ErrUnexpectedEOF
	}
	copy(z.out[z.done:], z.in[z.pos:z.pos+n])
	z.pos, z.done, z.store = z.pos+n, z.done+n, z.store-n
	if z.store == 0 {
		z.block = noBlock
	}
	return nil
}
