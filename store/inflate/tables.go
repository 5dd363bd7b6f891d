package inflate

import "math/bits"

// Codes of up to litBits or distBits are found by one look into the table, longer
// ones by a second into one of the tables behind it.
const (
	litBits    = 11
	distBits   = 8
	lengthBits = 7 // of the codes of lengths, none of which is longer
	maxBits    = 15

	maxLits  = 286
	maxDists = 30

	// A table behind it is for at least two codes.
	litTable  = 8192 // ≥ 1<<litBits + 288/2<<(maxBits-litBits), a power of two
	distTable = 4096 // ≥ 1<<distBits + 32/2<<(maxBits-distBits)
)

// An entry of a table:
//
//	literal    isLiteral, the byte << 16, bits of the code
//	copy       base of the length or distance << 16, bits of the code << 8,
//	           these and the extra bits
//	otherwise  special, and: endOfBlock, bits of the code; or isTable, where it is
//	           << 16; or nothing, for what is no code
const (
	isLiteral  = 1 << 31
	special    = 1 << 15
	endOfBlock = 1 << 14
	isTable    = 1 << 13
)

// lengths and distances give the entries of RFC 1951, section 3.2.5, without the
// bits of the code.
var lengths, distances = func() (l [32]uint32, d [32]uint32) {
	base := 3
	for i := range 28 {
		extra := max(0, i/4-1)
		l[i] = uint32(base<<16 | extra)
		base += 1 << extra
	}
	l[28] = 258 << 16
	base = 1
	for i := range 30 {
		extra := max(0, i/2-1)
		d[i] = uint32(base<<16 | extra)
		base += 1 << extra
	}
	for _, none := range []*uint32{&l[29], &l[30], &l[31], &d[30], &d[31]} {
		*none = special
	}
	return l, d
}()

// litEntry is the entry of a literal or length, without the bits of the code.
func litEntry(symbol int) uint32 {
	switch {
	case symbol < 256:
		return isLiteral | uint32(symbol)<<16
	case symbol == 256:
		return special | endOfBlock
	}
	return lengths[symbol-257]
}

func distEntry(symbol int) uint32 { return distances[symbol] }

// build makes the table of a canonical code (section 3.2.2) by the lengths of its
// codes, and returns how many bits a second look is by. It reports whether these are
// the lengths of one: neither too many nor, but for a single code of one bit or none
// at all, too few.
func build(table []uint32, width int, lens []uint8, entry func(symbol int) uint32) (second uint, ok bool) {
	var count, code [maxBits + 2]int
	longest := 0
	for _, n := range lens {
		if n > 0 {
			count[n]++
			longest = max(longest, int(n))
		}
	}
	used := 0
	for n := 1; n <= longest; n++ {
		used <<= 1
		code[n] = used
		used += count[n]
	}
	if used != 1<<longest && !(longest == 1 && used == 1) && longest > 0 {
		return 0, false
	}
	for i := range 1 << width {
		table[i] = special
	}
	free := 1 << width
	second = uint(max(0, longest-width))
	for symbol, n := range lens {
		if n == 0 {
			continue
		}
		size := int(n)
		// Codes come with their first bit lowest.
		c := int(bits.Reverse16(uint16(code[size])) >> (16 - size))
		code[size]++
		e := entry(symbol)
		if size <= width {
			e = withBits(e, uint32(size))
			for ; c < 1<<width; c += 1 << size {
				table[c] = e
			}
			continue
		}
		first := c & (1<<width - 1)
		if table[first]&isTable == 0 {
			table[first] = special | isTable | uint32(free)<<16
			for i := range 1 << second {
				table[free+i] = special
			}
			free += 1 << second
		}
		behind := table[table[first]>>16&0x7fff:][:1<<second]
		e = withBits(e, uint32(size-width))
		for c >>= width; c < 1<<second; c += 1 << (size - width) {
			behind[c] = e
		}
	}
	return second, true
}

// withBits puts the bits of the code into an entry.
func withBits(e, n uint32) uint32 {
	if e&(isLiteral|special) != 0 {
		return e | n
	}
	return e + n | n<<8
}

// fixed makes the tables of section 3.2.6.
func (z *Reader) fixed() {
	z.second = [2]uint{} // none is long
	if z.fixedTable {
		return
	}
	var lens [288]uint8
	for i := range lens {
		switch {
		case i < 144, i >= 280:
			lens[i] = 8
		case i < 256:
			lens[i] = 9
		default:
			lens[i] = 7
		}
	}
	build(z.lits[:], litBits, lens[:], litEntry)
	for i := range 32 {
		lens[i] = 5
	}
	build(z.dists[:], distBits, lens[:32], distEntry)
	z.fixedTable = true
}

// order is that of the lengths of the codes of the lengths (section 3.2.7).
var order = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// dynamic reads the lengths of the codes of a block and makes its tables.
func (z *Reader) dynamic() error {
	head, err := z.take(14)
	if err != nil {
		return err
	}
	lits, dists, n := int(head&31)+257, int(head>>5&31)+1, int(head>>10)+4
	if lits > maxLits || dists > maxDists {
		return corrupt("too many codes")
	}
	var of [19]uint8
	for _, i := range order[:n] {
		v, err := z.take(3)
		if err != nil {
			return err
		}
		of[i] = uint8(v)
	}
	var table [1 << lengthBits]uint32
	if _, ok := build(table[:], lengthBits, of[:], func(symbol int) uint32 { return isLiteral | uint32(symbol)<<16 }); !ok {
		return corrupt("an impossible code")
	}
	lens := z.lens[:lits+dists]
	if err := z.codeLengths(&table, lens); err != nil {
		return err
	}
	var litsOK, distsOK bool
	z.second[0], litsOK = build(z.lits[:], litBits, lens[:lits], litEntry)
	z.second[1], distsOK = build(z.dists[:], distBits, lens[lits:], distEntry)
	if !litsOK || !distsOK {
		return corrupt("an impossible code")
	}
	return nil
}

// codeLengths reads the lengths of codes, which are coded themselves: each, or how
// often the one before or zero comes again.
func (z *Reader) codeLengths(table *[1 << lengthBits]uint32, lens []uint8) error {
	for i := 0; i < len(lens); {
		if err := z.fill(); err != nil {
			return err
		}
		if z.nbits < lengthBits+7 {
			z.refill()
		}
		e := table[z.bits&(1<<lengthBits-1)]
		if e&special != 0 {
			return corrupt("an unknown code")
		}
		z.bits >>= e & 0xf
		z.nbits -= uint(e & 0xf)
		symbol := uint8(e >> 16)
		if symbol < 16 {
			lens[i] = symbol
			i++
			continue
		}
		var again uint8
		repeat, extra := 3, uint(2)
		switch symbol {
		case 16:
			if i == 0 {
				return corrupt("a repetition of nothing")
			}
			again = lens[i-1]
		case 17:
			extra = 3
		case 18:
			repeat, extra = 11, 7
		}
		v, err := z.take(extra)
		if err != nil {
			return err
		}
		if repeat += int(v); repeat > len(lens)-i {
			return corrupt("too many codes")
		}
		for ; repeat > 0; repeat-- {
			lens[i] = again
			i++
		}
	}
	return z.overrun()
}
