package wire

import (
	"fmt"
	"time"
)

// Handover is what a shim tells the fresh image of itself that it becomes when it falls
// idle. It never crosses a socket: both sides are the same binary. Descriptors are
// numbers that stay open over the execve, -1 for none.
type Handover struct {
	Config     Config
	PID        int
	Status     Status
	StartedAt  time.Time
	Listen     int
	PIDFD      int
	NetNS      int
	Record     int
	Stdin      int   // of a terminal: the terminal
	Outputs    []int // stdout and stderr; none of a terminal
	Waiters    []int
	Kept       map[string][]int
	Forwards   []Forward
	Sockets    []int           // of Forwards
	Lines      [2]HandoverLine // stdout's and stderr's
	LogDropped uint64
}

// HandoverLine is a line of output that has not ended yet.
type HandoverLine struct {
	Text  []byte
	Split bool
	Since time.Time
}

// Encode returns h as bytes.
func (h *Handover) Encode() []byte {
	var e encoder
	e.bytes(h.Config.Encode())
	e.i32(h.PID)
	e.str(string(h.Status))
	e.time(h.StartedAt)
	for _, fd := range []int{h.Listen, h.PIDFD, h.NetNS, h.Record, h.Stdin} {
		e.i32(fd)
	}
	fds := func(list []int) {
		e.u32(uint32(len(list)))
		for _, fd := range list {
			e.i32(fd)
		}
	}
	fds(h.Outputs)
	fds(h.Waiters)
	e.u32(uint32(len(h.Kept)))
	for name, list := range h.Kept {
		e.str(name)
		fds(list)
	}
	e.bytes(EncodeForwards(h.Forwards))
	fds(h.Sockets)
	for _, l := range h.Lines {
		e.bytes(l.Text)
		e.bool(l.Split)
		e.time(l.Since)
	}
	e.i64(int64(h.LogDropped))
	return e
}

// DecodeHandover reads what Encode wrote.
func DecodeHandover(body []byte) (h Handover, err error) {
	d := decoder{rest: body}
	config := d.bytes()
	h.PID, h.Status, h.StartedAt = d.i32(), Status(d.str()), d.time()
	for _, fd := range []*int{&h.Listen, &h.PIDFD, &h.NetNS, &h.Record, &h.Stdin} {
		*fd = d.i32()
	}
	fds := func() (list []int) {
		for range d.count(4) {
			list = append(list, d.i32())
		}
		return list
	}
	h.Outputs, h.Waiters = fds(), fds()
	if n := d.count(8); n > 0 {
		h.Kept = make(map[string][]int, n)
		for range n {
			name := d.str()
			h.Kept[name] = fds()
		}
	}
	forwards := d.bytes()
	h.Sockets = fds()
	for i := range h.Lines {
		h.Lines[i] = HandoverLine{Text: d.bytes(), Split: d.bool(), Since: d.time()}
	}
	h.LogDropped = uint64(d.i64())
	if err = d.end("handover"); err == nil {
		h.Config, err = DecodeConfig(config)
	}
	if err == nil {
		h.Forwards, err = DecodeForwards(forwards)
	}
	if err == nil && len(h.Sockets) != len(h.Forwards) {
		err = fmt.Errorf("%d ports have %d sockets", len(h.Forwards), len(h.Sockets))
	}
	return h, err
}
