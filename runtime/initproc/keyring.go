package initproc

import "golang.org/x/sys/unix"

// What a user who does not possess a session keyring may do with one made by name
// (linux/key.h), and with a container's in addition: find it.
const (
	keyringRights = 0x3f000000 | 0x010000 | 0x020000 | 0x100000 // all of its possessor; view, read, link
	keyringSearch = 0x080000
)

// keyring leaves the session keyring of whoever started the runtime, with keys that
// are no business of the container's. Init makes one of the container's name; the
// execs, who find it by that, join it.
func (p *Program) keyring(c *Process) {
	id := p.Reg(-1)
	p.Store("join the session keyring "+c.Keyring, id, unix.SYS_KEYCTL, unix.KEYCTL_JOIN_SESSION_KEYRING, p.String(c.Keyring))
	if c.Listen >= 0 {
		p.Call("let execs find the session keyring "+c.Keyring, unix.SYS_KEYCTL, unix.KEYCTL_SETPERM, id, keyringRights|keyringSearch)
	}
}
