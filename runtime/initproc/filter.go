package initproc

import (
	"unsafe"

	"berth/runtime/sync"
	"golang.org/x/sys/unix"
)

func (p *Program) filter(c *Process) {
	f := c.Seccomp
	if len(f.Code) == 0 {
		return
	}
	// struct sock_fprog: a 16-bit count, padded, and a pointer.
	prog := p.Words(uint64(len(f.Code)/8), uint64(p.Bytes(f.Code)))
	args := []any{unix.SECCOMP_SET_MODE_FILTER, int(f.Flags), prog}
	if !f.Notifies() {
		p.Call("install the seccomp filter", unix.SYS_SECCOMP, args...)
		return
	}
	// The listener's descriptor goes into the message as it stands in memory.
	at := p.alloc(sync.Size)
	copy(p.mem[at:], sync.Message{Kind: sync.Listening}.Encode())
	listener := Reg(at + unsafe.Offsetof(sync.Message{}.Step))
	p.Store("install the seccomp filter", listener, unix.SYS_SECCOMP, args...)
	p.Call("tell the parent of the seccomp listener", unix.SYS_WRITE, c.Sync, p.addr(at), sync.Size)
	p.Expect("wait for the agent to have the seccomp listener", 1, unix.SYS_READ, c.Sync, p.Bytes([]byte{0}), 1)
	p.Call("close the seccomp listener", unix.SYS_CLOSE, listener)
}
