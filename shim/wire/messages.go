package wire

import (
	"fmt"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"berth/runtime/mount"
	"berth/runtime/seccomp"
)

// Config is what one shim runs. All paths are absolute.
type Config struct {
	ID           string         // of the container
	Dir          string         // private directory of the shim: its socket and the bundle's config.json; made by Start, gone when the shim leaves
	RuntimeRoot  string         // StateRoot of runtime/container
	Runtime      Runtime        // instead of berth's own
	Spec         *specs.Spec    // Root.Path must be MountPoint; not part of the message, it travels as Dir/config.json
	Seccomp      seccomp.Filter // linux.seccomp of Spec, which is not in config.json; Start compiles it
	Rootfs       []mount.Mount  // mounted at MountPoint, in the shim's own mount namespace
	MountPoint   string         // made if missing, removed when the shim leaves; must lie below a mount prepared by PrivateMount
	Trees        []Tree         // mounts; their descriptors come in this order
	Log          LogConfig
	ExitPath     string // where the exit record is written
	ExitUnsynced bool   // the exit record need not outlast the host: whoever runs the container forgets it after a crash
	Tty          bool
	OpenStdin    bool // without it stdin is /dev/null
	StdinOnce    bool // the end of an attached client's stdin ends the container's
	ConsoleSize  [2]uint
}

// Encode returns the body of a create message.
func (c *Config) Encode() []byte {
	var e encoder
	e.str(c.ID)
	e.str(c.Dir)
	e.str(c.RuntimeRoot)
	c.Runtime.encode(&e)
	e.bytes(c.Seccomp.Code)
	e.u32(uint32(c.Seccomp.Flags))
	e.str(c.Seccomp.ListenerPath)
	e.str(c.Seccomp.ListenerMetadata)
	e.u32(uint32(len(c.Rootfs)))
	for _, m := range c.Rootfs {
		e.str(m.Type)
		e.str(m.Source)
		e.strs(m.Options)
	}
	e.str(c.MountPoint)
	e.u32(uint32(len(c.Trees)))
	for _, t := range c.Trees {
		e.str(t.Path)
		e.str(t.Subpath)
		e.str(t.Of)
	}
	e.str(c.Log.Driver)
	e.str(c.Log.Path)
	e.i64(c.Log.MaxSize)
	e.i32(c.Log.MaxFiles)
	e.bool(c.Log.Compress)
	e.i64(c.Log.Buffer)
	e.pairs(c.Log.Attrs)
	c.Log.Remote.encode(&e)
	e.str(c.ExitPath)
	e.bool(c.ExitUnsynced)
	e.bool(c.Tty)
	e.bool(c.OpenStdin)
	e.bool(c.StdinOnce)
	e.u32(uint32(c.ConsoleSize[0]))
	e.u32(uint32(c.ConsoleSize[1]))
	return e
}

// DecodeConfig reads the body of a create message.
func DecodeConfig(body []byte) (Config, error) {
	d := decoder{rest: body}
	c := Config{ID: d.str(), Dir: d.str(), RuntimeRoot: d.str()}
	c.Runtime.decode(&d)
	c.Seccomp = seccomp.Filter{Code: d.bytes(), Flags: uint(d.u32()), ListenerPath: d.str(), ListenerMetadata: d.str()}
	for range d.count(12) {
		c.Rootfs = append(c.Rootfs, mount.Mount{Type: d.str(), Source: d.str(), Options: d.strs()})
	}
	c.MountPoint = d.str()
	for range d.count(12) {
		c.Trees = append(c.Trees, Tree{Path: d.str(), Subpath: d.str(), Of: d.str()})
	}
	c.Log = LogConfig{Driver: d.str(), Path: d.str(), MaxSize: d.i64(), MaxFiles: d.i32()}
	c.Log.Compress, c.Log.Buffer = d.bool(), d.i64()
	c.Log.Attrs = d.pairs()
	c.Log.Remote.decode(&d)
	c.ExitPath, c.ExitUnsynced = d.str(), d.bool()
	c.Tty, c.OpenStdin, c.StdinOnce = d.bool(), d.bool(), d.bool()
	c.ConsoleSize = [2]uint{uint(d.u32()), uint(d.u32())}
	return c, d.end("create")
}

// Attach says which streams a client wants on its connection.
type Attach struct {
	Stdin, Stdout, Stderr bool
	DetachKeys            []byte // the bytes that end the attachment; only looked for on a terminal
	Mux                   bool   // output in docker's frames with a header of eight bytes, instead of raw
	Pending               []byte // input that was already read from the connection
}

func (a *Attach) encode(e *encoder) {
	e.bool(a.Stdin)
	e.bool(a.Stdout)
	e.bool(a.Stderr)
	e.bytes(a.DetachKeys)
	e.bool(a.Mux)
	e.bytes(a.Pending)
}

func (a *Attach) decode(d *decoder) {
	a.Stdin, a.Stdout, a.Stderr = d.bool(), d.bool(), d.bool()
	a.DetachKeys = d.bytes()
	a.Mux = d.bool()
	a.Pending = d.bytes()
}

// Encode returns the body of an attach message.
func (a *Attach) Encode() []byte {
	var e encoder
	a.encode(&e)
	return e
}

// DecodeAttach reads the body of an attach message.
func DecodeAttach(body []byte) (a Attach, err error) {
	d := decoder{rest: body}
	a.decode(&d)
	return a, d.end("attach")
}

// Exec is one more process in the container.
type Exec struct {
	ID             string
	Process        []byte // specs.Process as JSON
	Tty, OpenStdin bool
	ConsoleSize    [2]uint
	Attach         Attach // for the connection that comes along, if one does
}

// Encode returns the body of an exec message.
func (x *Exec) Encode() []byte {
	var e encoder
	e.str(x.ID)
	e.bytes(x.Process)
	e.bool(x.Tty)
	e.bool(x.OpenStdin)
	e.u32(uint32(x.ConsoleSize[0]))
	e.u32(uint32(x.ConsoleSize[1]))
	x.Attach.encode(&e)
	return e
}

// DecodeExec reads the body of an exec message.
func DecodeExec(body []byte) (x Exec, err error) {
	d := decoder{rest: body}
	x.ID, x.Process = d.str(), d.bytes()
	x.Tty, x.OpenStdin = d.bool(), d.bool()
	x.ConsoleSize = [2]uint{uint(d.u32()), uint(d.u32())}
	x.Attach.decode(&d)
	return x, d.end("exec")
}

// Signal is the body of kill and exec-kill.
type Signal struct {
	ID  string // of the exec; empty for the container
	Sig int
	All bool // every process of the container
}

// Encode returns the body of a kill or exec-kill message.
func (s *Signal) Encode() []byte {
	var e encoder
	e.str(s.ID)
	e.i32(s.Sig)
	e.bool(s.All)
	return e
}

// DecodeSignal reads the body of a kill or exec-kill message.
func DecodeSignal(body []byte) (Signal, error) {
	d := decoder{rest: body}
	s := Signal{ID: d.str(), Sig: d.i32(), All: d.bool()}
	if d.err == nil && (s.Sig < 0 || s.Sig > 64) {
		d.err = fmt.Errorf("no such signal: %d", s.Sig)
	}
	return s, d.end("kill")
}

// Size is the body of resize and exec-resize, in character cells.
type Size struct {
	ID            string // of the exec; empty for the container
	Height, Width uint
}

// Encode returns the body of a resize or exec-resize message.
func (s *Size) Encode() []byte {
	var e encoder
	e.str(s.ID)
	e.u32(uint32(s.Height))
	e.u32(uint32(s.Width))
	return e
}

// DecodeSize reads the body of a resize or exec-resize message.
func DecodeSize(body []byte) (Size, error) {
	d := decoder{rest: body}
	s := Size{ID: d.str(), Height: uint(d.u32()), Width: uint(d.u32())}
	if d.err == nil && (s.Height > 0xffff || s.Width > 0xffff) {
		d.err = fmt.Errorf("no terminal is %dx%d", s.Width, s.Height)
	}
	return s, d.end("resize")
}

// EncodeID returns a body that names an exec; DecodeID reads it.
func EncodeID(id string) []byte {
	var e encoder
	e.str(id)
	return e
}

// DecodeID reads a body that names an exec.
func DecodeID(body []byte) (string, error) {
	d := decoder{rest: body}
	id := d.str()
	return id, d.end("exec ID")
}

// EncodePID returns the body of a pid reply.
func EncodePID(pid int) []byte {
	var e encoder
	e.i32(pid)
	return e
}

// DecodePID reads the body of a pid reply.
func DecodePID(body []byte) (int, error) {
	d := decoder{rest: body}
	pid := d.i32()
	return pid, d.end("process ID")
}

// End is why an attachment ended.
type End uint8

// The ends of an attachment.
const (
	EndExited   End = iota + 1 // the process ended and all its output was delivered
	EndDetached                // the client typed the detach keys
	EndGone                    // the client went away, or stopped reading
)

// EncodeEnd returns the body of an ended message.
func EncodeEnd(end End) []byte { return []byte{byte(end)} }

// DecodeEnd reads the body of an ended message.
func DecodeEnd(body []byte) (End, error) {
	d := decoder{rest: body}
	end := End(d.u8())
	if d.err == nil && (end < EndExited || end > EndGone) {
		d.err = fmt.Errorf("unknown end of an attachment: %d", end)
	}
	return end, d.end("ended")
}

// Status of a container.
type Status string

// What a container can be in.
const (
	StatusCreated Status = "created" // parked before its execve
	StatusRunning Status = "running"
	StatusPaused  Status = "paused"
	StatusStopped Status = "stopped" // ended; the shim is finishing
)

// ExecInfo tells about one exec. It is kept from the start until its exit was
// collected.
type ExecInfo struct {
	ID      string
	PID     int
	Running bool
	Exit    Exit // when not Running
}

// Info tells about a shim and what it runs.
type Info struct {
	ID            string
	ShimPID, PID  int
	Status        Status
	StartedAt     time.Time // zero before the start
	Execs         []ExecInfo
	Attached      int    // clients attached to the container
	LogDropped    uint64 // lines that could not be written, since the shim started
	LogError      string // why the last line could not be written; empty once lines are written again
	ExitPath      string // where the exit record will be
	Tty, HasStdin bool
}

// Encode returns the body of an info reply.
func (i *Info) Encode() []byte {
	var e encoder
	e.str(i.ID)
	e.i32(i.ShimPID)
	e.i32(i.PID)
	e.str(string(i.Status))
	e.time(i.StartedAt)
	e.u32(uint32(len(i.Execs)))
	for _, x := range i.Execs {
		e.str(x.ID)
		e.i32(x.PID)
		e.bool(x.Running)
		x.Exit.encode(&e)
	}
	e.i32(i.Attached)
	e.i64(int64(i.LogDropped))
	e.str(i.LogError)
	e.str(i.ExitPath)
	e.bool(i.Tty)
	e.bool(i.HasStdin)
	return e
}

// DecodeInfo reads the body of an info reply.
func DecodeInfo(body []byte) (Info, error) {
	d := decoder{rest: body}
	i := Info{ID: d.str(), ShimPID: d.i32(), PID: d.i32(), Status: Status(d.str()), StartedAt: d.time()}
	for range d.count(9) {
		x := ExecInfo{ID: d.str(), PID: d.i32(), Running: d.bool()}
		x.Exit.decode(&d)
		i.Execs = append(i.Execs, x)
	}
	i.Attached, i.LogDropped, i.LogError = d.i32(), uint64(d.i64()), d.str()
	i.ExitPath = d.str()
	i.Tty, i.HasStdin = d.bool(), d.bool()
	return i, d.end("info")
}
