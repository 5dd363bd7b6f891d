package network

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"

	mdnetlink "github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// news is what a transaction of somebody, of which the kernel tells message by message,
// has changed that matters. What others change in their own tables is looked at only where
// our rules may stand (see passForeign): an engine beside this one publishes a port with each
// container that it starts, and to list everybody's rules each time would cost more than that.
type news struct {
	table, comment string // by which ours are known

	ours    bool // something in our table
	passage bool // a chain that packets pass has come or has another policy, or a rule of ours is gone from one
	zoned   bool // firewalld has made its table anew
}

// clear begins with the next transaction.
func (w *news) clear() { w.ours, w.passage, w.zoned = false, false, false }

// transactions takes in messages of the kernel, and yields at the end of each transaction whose
// it was: w says then what it has changed.
func (w *news) transactions(messages []byte) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for b := messages; len(b) >= unix.SizeofNlMsghdr+4; {
			size := int(binary.NativeEndian.Uint32(b))
			if size < unix.SizeofNlMsghdr+4 || size > len(b) {
				return
			}
			kind, sender := binary.NativeEndian.Uint16(b[4:])&0xff, binary.NativeEndian.Uint32(b[12:])
			attrs := b[unix.SizeofNlMsghdr+4 : size]
			b = b[min(len(b), (size+3)&^3):]
			if kind != unix.NFT_MSG_NEWGEN {
				w.take(kind, attrs)
				continue
			}
			more := yield(sender)
			w.clear()
			if !more {
				return
			}
		}
	}
}

// take takes in one message.
func (w *news) take(kind uint16, attrs []byte) {
	table := string(attribute(attrs, unix.NFTA_TABLE_NAME)) // the first attribute of what is in a table, too
	w.ours = w.ours || table == w.table+"\x00"
	w.zoned = w.zoned || kind < unix.NFT_MSG_NEWCHAIN && table == "firewalld\x00"
	switch kind {
	case unix.NFT_MSG_NEWCHAIN:
		w.passage = w.passage || attribute(attrs, unix.NFTA_CHAIN_HOOK) != nil
	case unix.NFT_MSG_DELRULE:
		w.passage = w.passage || bytes.Contains(attribute(attrs, unix.NFTA_RULE_USERDATA), []byte(w.comment))
	}
}

// attribute finds a netlink attribute.
func attribute(attrs []byte, want uint16) []byte {
	for len(attrs) >= unix.SizeofNlAttr {
		size := int(binary.NativeEndian.Uint16(attrs))
		if size < unix.SizeofNlAttr || size > len(attrs) {
			return nil
		}
		if binary.NativeEndian.Uint16(attrs[2:])&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER) == want {
			return attrs[unix.SizeofNlAttr:size]
		}
		attrs = attrs[min(len(attrs), (size+3)&^3):]
	}
	return nil
}

// senders are the addresses of the sockets of our latest transactions, by which their
// echo is known. The process ID that the kernel tells of a transaction would not do: in a
// PID namespace it is not the one that the process knows.
type senders struct {
	mu   sync.Mutex
	last [256]uint32
	next int
}

// note takes in the address of a socket. It is an nftables.SockOption.
func (s *senders) note(c *mdnetlink.Conn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var addr unix.Sockaddr
	if cerr := raw.Control(func(fd uintptr) { addr, err = unix.Getsockname(int(fd)) }); cerr != nil || err != nil {
		return errors.Join(cerr, err)
	}
	at, ok := addr.(*unix.SockaddrNetlink)
	if !ok {
		return fmt.Errorf("a socket of nftables has an address of type %T", addr)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last[s.next] = at.Pid
	s.next = (s.next + 1) % len(s.last)
	return nil
}

// sent tells whether a message of that address is an echo of ours.
func (s *senders) sent(from uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.last[:], from)
}
