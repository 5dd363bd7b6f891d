package wire

import "fmt"

// Forward is a port of the host that a shim holds for its container: a socket that is
// bound to it, so that nobody else gets it, and where what arrives at that socket goes.
type Forward struct {
	Name   string // what the port is known by, such as "tcp 0.0.0.0:80"
	Proto  uint8  // unix.IPPROTO_TCP, …
	Addr   []byte // of the container, 4 or 16 bytes; none: the port is given back
	Port   uint16 // of the container
	Socket bool   // a socket comes along: the port is new. Else the shim has it, and only the target changes
}

// EncodeForwards returns the body of a forward request, or of its forwarded reply.
func EncodeForwards(list []Forward) []byte {
	var e encoder
	e.u32(uint32(len(list)))
	for _, f := range list {
		e.str(f.Name)
		e.u8(f.Proto)
		e.bytes(f.Addr)
		e.u32(uint32(f.Port))
		e.bool(f.Socket)
	}
	return e
}

// DecodeForwards reads what EncodeForwards wrote.
func DecodeForwards(body []byte) (list []Forward, err error) {
	d := decoder{rest: body}
	for range d.count(14) {
		f := Forward{Name: d.str(), Proto: d.u8(), Addr: d.bytes()}
		port := d.u32()
		f.Port, f.Socket = uint16(port), d.bool()
		if n := len(f.Addr); d.err == nil && (port > 0xffff || n != 0 && n != 4 && n != 16) {
			d.err = fmt.Errorf("forward %s to port %d of an address of %d bytes", f.Name, port, n)
		}
		list = append(list, f)
	}
	return list, d.end("forward")
}
