package inflate

import (
	"encoding/binary"
	"hash/crc32"
	"io"
)

// Flags of a member's header (RFC 1952, section 2.3.1).
const (
	flagHeaderSum = 1 << 1
	flagExtra     = 1 << 2
	flagName      = 1 << 3
	flagComment   = 1 << 4
	flagsUnknown  = 0xe0
)

// header reads the header of a member. Its extra field and names may be as long as
// section 2.3 lets them be: Go's gzip refuses names from 512 bytes on, for it keeps them.
func (z *Reader) header() error {
	sum := uint32(0)
	next := func(n int) ([]byte, error) {
		b, err := z.bytes(n)
		sum = crc32.Update(sum, crc32.IEEETable, b)
		return b, err
	}
	h, err := next(10)
	if err != nil {
		return err
	}
	flags := h[3]
	if h[0] != 0x1f || h[1] != 0x8b || h[2] != 8 || flags&flagsUnknown != 0 {
		return corrupt("invalid header")
	}
	if flags&flagExtra != 0 {
		b, err := next(2)
		if err != nil {
			return err
		}
		for n := binary.LittleEndian.Uint16(b); n > 0; n-- {
			if _, err := next(1); err != nil {
				return err
			}
		}
	}
	for _, flag := range []byte{flagName, flagComment} { // each ends with a zero
		for more := flags&flag != 0; more; {
			b, err := next(1)
			if err != nil {
				return err
			}
			more = b[0] != 0
		}
	}
	if flags&flagHeaderSum != 0 {
		want := uint16(sum)
		b, err := z.bytes(2)
		if err != nil {
			return err
		}
		if binary.LittleEndian.Uint16(b) != want {
			return corrupt("invalid header")
		}
	}
	z.crc, z.size, z.start, z.last = 0, 0, z.done, false
	return nil
}

// trailer checks the end of a member and goes on to the next; it returns io.EOF if
// there is none.
func (z *Reader) trailer() error {
	if err := z.align(); err != nil {
		return err
	}
	b, err := z.bytes(8)
	if err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(b) != z.crc || binary.LittleEndian.Uint32(b[4:]) != z.size {
		return corrupt("invalid checksum")
	}
	if err := z.fill(); err != nil {
		return err
	}
	if z.pos == z.end {
		return io.EOF
	}
	return z.header()
}

// blockHeader reads what is before the bytes of a block.
func (z *Reader) blockHeader() error {
	head, err := z.take(3)
	if err != nil {
		return err
	}
	z.last = head&1 != 0
	switch head >> 1 {
	case 0:
		if err := z.align(); err != nil {
			return err
		}
		b, err := z.bytes(4)
		if err != nil {
			return err
		}
		n := binary.LittleEndian.Uint16(b)
		if n != ^binary.LittleEndian.Uint16(b[2:]) {
			return corrupt("a stored block of two sizes")
		}
		z.block, z.store = storedBlock, int(n)
	case 1:
		z.fixed()
		z.block = codedBlock
	case 2:
		z.fixedTable = false
		if err := z.dynamic(); err != nil {
			return err
		}
		z.block = codedBlock
	default:
		return corrupt("an unknown kind of block")
	}
	return nil
}
