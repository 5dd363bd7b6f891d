package wire

import "time"

// Exit is how a process ended: the record that a shim writes durably and what its
// waiters get. The record is JSON with these names.
type Exit struct {
	ID        string
	PID       int
	Status    int // what docker reports: the exit code, or 128 + the signal
	Signal    int // that ended it, 0 for none
	OOMKilled bool
	Error     string    `json:",omitempty"` // what went wrong beside the process itself
	StartedAt time.Time // zero if it never started
	ExitedAt  time.Time
}

func (x *Exit) encode(e *encoder) {
	e.str(x.ID)
	e.i32(x.PID)
	e.i32(x.Status)
	e.i32(x.Signal)
	e.bool(x.OOMKilled)
	e.str(x.Error)
	e.time(x.StartedAt)
	e.time(x.ExitedAt)
}

func (x *Exit) decode(d *decoder) {
	x.ID, x.PID, x.Status, x.Signal = d.str(), d.i32(), d.i32(), d.i32()
	x.OOMKilled, x.Error = d.bool(), d.str()
	x.StartedAt, x.ExitedAt = d.time(), d.time()
}

// Encode returns the body of an exit reply.
func (x *Exit) Encode() []byte {
	var e encoder
	x.encode(&e)
	return e
}

// DecodeExit reads the body of an exit reply.
func DecodeExit(body []byte) (x Exit, err error) {
	d := decoder{rest: body}
	x.decode(&d)
	return x, d.end("exit")
}
