package inflate

import (
	"encoding/binary"
	"io"
)

const (
	litMask  = 1<<litBits - 1
	distMask = 1<<distBits - 1
)

// coded decodes from a block with codes until it ends, the output is full, or the
// input has to be filled.
//
// A step needs at most 48 bits for a copy: 15 and 5 of the length, 15 and 13 of the
// distance. So bits are filled up to 56 before each, and again after literals.
func (z *Reader) coded() error {
	if err := z.fill(); err != nil {
		return err
	}
	in, out := &z.in, &z.out
	lits, dists := &z.lits, &z.dists
	moreLit, moreDist := uint64(1)<<z.second[0]-1, uint64(1)<<z.second[1]-1
	pos, end, bits, nbits, w, start := z.pos, z.end, z.bits, z.nbits, z.done, z.start
	limit := end - inSlack
	if z.rerr == io.EOF {
		limit = end + 8 // zeros follow
	}
	var err error
	for pos <= limit && w < outSize {
		bits |= binary.LittleEndian.Uint64(in[pos:]) << (nbits & 63)
		pos += int((63 - nbits) >> 3)
		nbits |= 56
		e := lits[bits&litMask]
		if e&isLiteral != 0 {
			bits >>= e & 0xf
			nbits -= uint(e & 0xf)
			out[w] = byte(e >> 16)
			w++
			if e = lits[bits&litMask]; e&isLiteral != 0 {
				bits >>= e & 0xf
				nbits -= uint(e & 0xf)
				out[w] = byte(e >> 16)
				w++
				if e = lits[bits&litMask]; e&isLiteral != 0 {
					bits >>= e & 0xf
					nbits -= uint(e & 0xf)
					out[w] = byte(e >> 16)
					w++
					continue
				}
			}
			bits |= binary.LittleEndian.Uint64(in[pos:]) << (nbits & 63)
			pos += int((63 - nbits) >> 3)
			nbits |= 56
		}
		if e&special != 0 {
			if e&isTable != 0 {
				bits >>= litBits
				nbits -= litBits
				e = lits[(uint64(e>>16&0x7fff)+bits&moreLit)&(litTable-1)]
			}
			if e&isLiteral != 0 {
				bits >>= e & 0xf
				nbits -= uint(e & 0xf)
				out[w] = byte(e >> 16)
				w++
				continue
			}
			if e&endOfBlock != 0 {
				bits >>= e & 0xf
				nbits -= uint(e & 0xf)
				z.block = noBlock
				break
			}
			if e&special != 0 {
				err = corrupt("an unknown code")
				break
			}
		}
		length := int(e>>16) + int(bits&(1<<(e&0x1f)-1)>>(e>>8&0xf))
		bits >>= e & 0x1f
		nbits -= uint(e & 0x1f)

		e = dists[bits&distMask]
		if e&special != 0 {
			if e&isTable != 0 {
				bits >>= distBits
				nbits -= distBits
				e = dists[(uint64(e>>16&0x7fff)+bits&moreDist)&(distTable-1)]
			}
			if e&special != 0 {
				err = corrupt("an unknown distance")
				break
			}
		}
		distance := int(e>>16) + int(bits&(1<<(e&0x1f)-1)>>(e>>8&0xf))
		bits >>= e & 0x1f
		nbits -= uint(e & 0x1f)

		from := w - distance
		if from < start {
			err = corrupt("a copy of what is before the beginning")
			break
		}
		to := w + length
		if distance >= 8 {
			// In words, which may write more than is asked for.
			for ; w < to; w, from = w+8, from+8 {
				binary.LittleEndian.PutUint64(out[w:], binary.LittleEndian.Uint64(out[from:]))
			}
			w = to
			continue
		}
		for ; w < to; w, from = w+1, from+1 {
			out[w] = out[from]
		}
	}
	z.pos, z.bits, z.nbits = pos, bits, nbits
	if err := z.overrun(); err != nil {
		return err // what was made of the zeros is not of the stream
	}
	z.done = w
	return err
}
