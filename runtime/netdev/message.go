package netdev

import (
	"encoding/binary"
	"fmt"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// message is an rtnetlink request under construction (rtnetlink(7)).
type message []byte

func newMessage(kind, flags uint16, header []byte) message {
	m := make(message, unix.SizeofNlMsghdr, 128)
	binary.NativeEndian.PutUint16(m[4:], kind)
	binary.NativeEndian.PutUint16(m[6:], unix.NLM_F_REQUEST|unix.NLM_F_ACK|flags)
	return append(m, header...)
}

// linkHeader is struct ifinfomsg that sets flags.
func linkHeader(index int32, flags uint32) []byte {
	b := make([]byte, unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(b[4:], uint32(index))
	binary.NativeEndian.PutUint32(b[8:], flags)
	binary.NativeEndian.PutUint32(b[12:], flags) // the mask of what changes
	return b
}

func numberBytes(n uint32) []byte { return binary.NativeEndian.AppendUint32(nil, n) }

func (m *message) attribute(kind uint16, value []byte) {
	b := *m
	b = binary.NativeEndian.AppendUint16(b, uint16(unix.SizeofRtAttr+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, value...)
	for len(b)%unix.RTA_ALIGNTO != 0 {
		b = append(b, 0)
	}
	*m = b
}

// do sends the request from the calling thread's network namespace and waits for
// the kernel's word.
func (m message) do() error {
	s, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	binary.NativeEndian.PutUint32(m, uint32(len(m)))
	if err := unix.Sendto(s, m, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	buf := make([]byte, 4096)
	n, _, err := unix.Recvfrom(s, buf, 0)
	if err != nil {
		return err
	}
	list, err := syscall.ParseNetlinkMessage(buf[:n])
	if err != nil {
		return err
	}
	if len(list) != 1 || list[0].Header.Type != unix.NLMSG_ERROR || len(list[0].Data) < 4 {
		return fmt.Errorf("rtnetlink answers with %d messages", len(list))
	}
	if errno := -int32(binary.NativeEndian.Uint32(list[0].Data)); errno != 0 {
		return unix.Errno(errno)
	}
	return nil
}

// address is one address of a device, as the kernel tells of it: struct ifaddrmsg
// and those attributes that it takes back.
type address struct {
	header     [unix.SizeofIfAddrmsg]byte
	attributes []syscall.NetlinkRouteAttr
}

// addressesOf lists the addresses that a move is to keep: those that were given
// by hand and are of global scope (runtime-spec config-linux.md, "Network Devices").
func addressesOf(index int32) ([]address, error) {
	rib, err := syscall.NetlinkRIB(unix.RTM_GETADDR, unix.AF_UNSPEC)
	if err != nil {
		return nil, err
	}
	list, err := syscall.ParseNetlinkMessage(rib)
	if err != nil {
		return nil, err
	}
	var keep []address
	for _, m := range list {
		if m.Header.Type != unix.RTM_NEWADDR || len(m.Data) < unix.SizeofIfAddrmsg {
			continue
		}
		var a address
		copy(a.header[:], m.Data)
		flags, scope := a.header[2], a.header[3]
		if int32(binary.NativeEndian.Uint32(a.header[4:])) != index || flags&unix.IFA_F_PERMANENT == 0 || scope != unix.RT_SCOPE_UNIVERSE {
			continue
		}
		attributes, err := syscall.ParseNetlinkRouteAttr(&m)
		if err != nil {
			return nil, err
		}
		for _, attr := range attributes {
			switch attr.Attr.Type {
			case unix.IFA_ADDRESS, unix.IFA_LOCAL, unix.IFA_BROADCAST:
				a.attributes = append(a.attributes, attr)
			}
		}
		keep = append(keep, a)
	}
	return keep, nil
}

func (a address) add(index int32) error {
	header := a.header
	binary.NativeEndian.PutUint32(header[4:], uint32(index))
	m := newMessage(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, header[:])
	for _, attr := range a.attributes {
		m.attribute(attr.Attr.Type, attr.Value)
	}
	return m.do()
}

// String is the address as people write it. (Package net/netip would have the
// runtime start late; see package early.)
func (a address) String() string {
	if len(a.attributes) == 0 {
		return "(none)"
	}
	ip := a.attributes[0].Value
	if len(ip) == 4 {
		return fmt.Sprintf("%d.%d.%d.%d/%d", ip[0], ip[1], ip[2], ip[3], a.header[1])
	}
	s := ""
	for i := 0; i+1 < len(ip); i += 2 {
		s += fmt.Sprintf(":%x", binary.BigEndian.Uint16(ip[i:]))
	}
	return fmt.Sprintf("%s/%d", strings.TrimPrefix(s, ":"), a.header[1])
}
