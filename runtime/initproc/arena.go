package initproc

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Arena is memory that parent and init share, and the only memory that init's
// program names: the program itself, its arguments, and words in which it keeps
// results. It never moves, and what the parent writes after the fork is seen by
// init.
type Arena struct {
	mem []byte
	off uintptr
	fd  int // of its memory
}

// arenas is where arenas are mapped: far from what a fresh process of one small
// program has mapped (the program itself low, its stack high), as there they have
// to have the same address.
const arenas = 0x20_0000_0000

// header is what stands at the start of every arena.
type header struct {
	count   uint32 // operations in the program
	step    int32  // the operation that failed
	errno   int32  // why
	report  int32  // descriptor to report failures to
	message [3]int32
}

// NewArena maps an arena of size bytes, which cost nothing until touched.
func NewArena(size int) (*Arena, error) {
	size = (size + 4095) &^ 4095
	fd, err := unix.MemfdCreate("berth-arena", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make memory shared with init: %w", err)
	}
	if err := unix.Ftruncate(fd, int64(size)); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("make memory shared with init: %w", err)
	}
	for at := uintptr(arenas); ; at += uintptr(size) {
		p, err := unix.MmapPtr(fd, 0, addrPointer(at), uintptr(size), unix.PROT_READ|unix.PROT_WRITE,
			unix.MAP_SHARED|unix.MAP_FIXED_NOREPLACE)
		if err == unix.EEXIST {
			continue // that of another container being made
		}
		if err != nil {
			unix.Close(fd)
			return nil, fmt.Errorf("map %d bytes shared with init: %w", size, err)
		}
		return &Arena{mem: unsafe.Slice((*byte)(p), size), fd: fd, off: opsOffset + maxOps*unsafe.Sizeof(op{})}, nil
	}
}

// addrPointer makes a pointer of an address that is not Go memory.
func addrPointer(at uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&at)) }

// Free unmaps the arena on the parent's side.
func (a *Arena) Free() {
	if a.mem != nil {
		_ = unix.MunmapPtr(unsafe.Pointer(&a.mem[0]), uintptr(len(a.mem)))
		unix.Close(a.fd)
		a.mem = nil
	}
}

func (a *Arena) header() *header { return (*header)(unsafe.Pointer(&a.mem[0])) }

// alloc reserves n zeroed bytes, aligned for any word.
func (a *Arena) alloc(n int) uintptr {
	at := (a.off + 7) &^ 7
	if at+uintptr(n) > uintptr(len(a.mem)) {
		// The size was computed from the same inputs: a bug, not a condition.
		panic("initproc: arena is full")
	}
	a.off = at + uintptr(n)
	return at
}

func (a *Arena) addr(off uintptr) uintptr { return uintptr(unsafe.Pointer(&a.mem[off])) }

// Bytes copies b into the arena and returns its address.
func (a *Arena) Bytes(b []byte) uintptr {
	at := a.alloc(max(len(b), 1))
	copy(a.mem[at:], b)
	return a.addr(at)
}

// String copies s with a terminating NUL into the arena and returns its address.
func (a *Arena) String(s string) uintptr {
	at := a.alloc(len(s) + 1)
	copy(a.mem[at:], s)
	return a.addr(at)
}

// Strings makes a NULL-terminated vector of strings as execve wants it.
func (a *Arena) Strings(list []string) uintptr {
	at := a.alloc(8 * (len(list) + 1))
	for i, s := range list {
		*(*uintptr)(unsafe.Pointer(&a.mem[at+uintptr(8*i)])) = a.String(s)
	}
	return a.addr(at)
}

// Words makes a vector of 64-bit numbers.
func (a *Arena) Words(w ...uint64) uintptr {
	at := a.alloc(8 * len(w))
	for i, v := range w {
		*(*uint64)(unsafe.Pointer(&a.mem[at+uintptr(8*i)])) = v
	}
	return a.addr(at)
}

// Reg is the place of a 32-bit number in the arena that init's program writes
// with one operation's result and reads as another's argument.
type Reg uintptr

// Reg makes a place that holds v until the program writes it.
func (a *Arena) Reg(v int32) Reg {
	at := a.alloc(4)
	*(*int32)(unsafe.Pointer(&a.mem[at])) = v
	return Reg(at)
}

// rightsMessage makes a struct msghdr with payload and with room for n
// descriptors in an SCM_RIGHTS message; the descriptors' places are returned.
func (a *Arena) rightsMessage(payload []byte, n int) (msghdr uintptr, fds []Reg) {
	iov := a.Words(uint64(a.Bytes(payload)), uint64(len(payload)))
	var h unix.Msghdr
	h.Iov = (*unix.Iovec)(nil)
	at := a.alloc(int(unsafe.Sizeof(h)))
	m := (*unix.Msghdr)(unsafe.Pointer(&a.mem[at]))
	*(*uintptr)(unsafe.Pointer(&m.Iov)) = iov
	m.SetIovlen(1)
	if n > 0 {
		c := a.alloc(unix.CmsgSpace(4 * n))
		ch := (*unix.Cmsghdr)(unsafe.Pointer(&a.mem[c]))
		ch.Level, ch.Type = unix.SOL_SOCKET, unix.SCM_RIGHTS
		ch.SetLen(unix.CmsgLen(4 * n))
		*(*uintptr)(unsafe.Pointer(&m.Control)) = a.addr(c)
		m.SetControllen(unix.CmsgSpace(4 * n))
		for i := range n {
			fds = append(fds, Reg(c+uintptr(unix.CmsgLen(0)+4*i)))
		}
	}
	return a.addr(at), fds
}
