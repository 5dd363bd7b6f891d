package seccomp

import (
	"encoding/binary"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Where things stand in struct seccomp_data.
const (
	offsetNumber = 0
	offsetArch   = 4
	offsetArgs   = 16 // 64 bits each
)

const (
	opLoad = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	opRet  = unix.BPF_RET | unix.BPF_K
	opAnd  = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
	opJump = unix.BPF_JMP | unix.BPF_JA
	opEQ   = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	opGE   = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
	opGT   = unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K
)

// code is a piece of a filter. Jumps are relative, so pieces can be joined.
type code struct{ insns []unix.SockFilter }

func (c *code) add(op uint16, k uint32, jt, jf uint8) {
	c.insns = append(c.insns, unix.SockFilter{Code: op, Jt: jt, Jf: jf, K: k})
}

func (c *code) load(offset uint32) { c.add(opLoad, offset, 0, 0) }
func (c *code) ret(v uint32)       { c.add(opRet, v, 0, 0) }

// branch adds a jump over then to what follows it if the comparison does not
// come out as want. A jump of more than 255 instructions takes a second one.
func (c *code) branch(op uint16, k uint32, want bool, then []unix.SockFilter) {
	if n := len(then); n <= 255 {
		if want {
			c.add(op, k, 0, uint8(n))
		} else {
			c.add(op, k, uint8(n), 0)
		}
	} else {
		if want {
			c.add(op, k, 1, 0)
		} else {
			c.add(op, k, 0, 1)
		}
		c.add(opJump, uint32(n), 0, 0)
	}
	c.insns = append(c.insns, then...)
}

// unlessEqual runs then if the accumulator is k, and else what follows.
func (c *code) unlessEqual(k uint32, then []unix.SockFilter) { c.branch(opEQ, k, true, then) }

// tree finds the outcome of the number in the accumulator by binary search. It
// never falls through.
func (c *code) tree(list []outcome) {
	if len(list) == 1 {
		c.leaf(list[0])
		return
	}
	mid := len(list) / 2
	var low code
	low.tree(list[:mid])
	c.branch(opGE, list[mid].start, false, low.insns)
	c.tree(list[mid:])
}

func (c *code) leaf(o outcome) {
	for _, r := range o.rules {
		c.rule(r)
	}
	c.ret(o.byDefault)
}

// Where a jump of a test goes.
const (
	next = iota // the next instruction
	pass        // the test holds: on to the next one
	fail        // it does not: past the rule
)

// step is an instruction of a test, whose jumps are not places yet.
type step struct {
	op           uint16
	k            uint32
	then, orElse int
}

// rule returns the action if all tests hold and falls through otherwise.
func (c *code) rule(r rule) {
	var steps []step
	var ends []int // where each step's test ends
	for _, t := range r.tests {
		own := t.steps()
		steps = append(steps, own...)
		for range own {
			ends = append(ends, len(steps))
		}
	}
	for i, s := range steps {
		// A jump's offset counts from the next instruction. Six tests of at most
		// eight steps are far from its limit.
		target := [...]int{next: 0, pass: ends[i] - i - 1, fail: len(steps) - i}
		c.add(s.op, s.k, uint8(target[s.then]), uint8(target[s.orElse]))
	}
	c.ret(r.action)
}

// steps are the instructions of a test. The machine has 32 bits, so the high
// half decides unless it is equal.
func (t test) steps() []step {
	high, low := uint32(t.value>>32), uint32(t.value)
	first, second := t.word(1), t.word(0)
	switch t.op {
	case specs.OpEqualTo:
		first = append(first, step{opEQ, high, next, fail})
		second = append(second, step{opEQ, low, pass, fail})
	case specs.OpNotEqual:
		first = append(first, step{opEQ, high, next, pass})
		second = append(second, step{opEQ, low, fail, pass})
	case specs.OpGreaterThan:
		first = append(first, step{opGT, high, pass, next}, step{opEQ, high, next, fail})
		second = append(second, step{opGT, low, pass, fail})
	case specs.OpGreaterEqual:
		first = append(first, step{opGT, high, pass, next}, step{opEQ, high, next, fail})
		second = append(second, step{opGE, low, pass, fail})
	case specs.OpLessThan:
		first = append(first, step{opGT, high, fail, next}, step{opEQ, high, next, pass})
		second = append(second, step{opGE, low, fail, pass})
	case specs.OpLessEqual:
		first = append(first, step{opGT, high, fail, next}, step{opEQ, high, next, pass})
		second = append(second, step{opGT, low, fail, pass})
	}
	return append(first, second...)
}

// word loads half of the argument, 1 being the high one, on a little-endian
// machine; see bigEndian.
func (t test) word(half uint32) []step {
	at := half
	if bigEndian {
		at = 1 - half
	}
	steps := []step{{op: opLoad, k: offsetArgs + 8*uint32(t.arg) + 4*at}}
	if mask := uint32(t.mask >> (32 * half)); mask != ^uint32(0) {
		steps = append(steps, step{op: opAnd, k: mask})
	}
	return steps
}

var bigEndian = binary.NativeEndian.Uint16([]byte{0, 1}) == 1
