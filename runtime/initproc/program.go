// Package initproc is the child's side of starting a process in a container:
// what happens between the fork and the execve.
//
// The child of a raw fork of a Go process has one thread and no Go runtime: it
// cannot allocate, take a lock or grow its stack. So it does not run Go code in
// any usual sense. The parent compiles what has to be done in the child into a
// *program*, a list of system calls with their arguments ready in shared memory
// (Arena), and the child runs it with a small interpreter. That saves starting a
// second Go program inside the container (about 1 ms), makes the waiting init a
// process without memory of its own, and leaves nothing of berth to attack in
// the container: the program is data that was checked before.
//
// An operation's result can be kept in a register (Reg) and be an argument of a
// later one. An error stops the program and is reported with the operation's
// number (package sync), which the parent turns into words with Describe, unless
// the operation says that it may fail.
package initproc

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxOps bounds the length of a program. The longest parts are the capabilities
// (about 90), the limits (16), the cgroup hierarchies (up to 15) and the places
// where the command may be (the entries of PATH).
const maxOps = 1024

// opsOffset is where the operations begin in the arena.
const opsOffset = (unsafe.Sizeof(header{}) + 63) &^ 63

// What an operation's failure means.
const (
	fatal   = iota // the program ends
	ignored        // nothing
	exec           // for execve: try the next place, unless the file was there
	unless         // nothing if args[1], which the call does not use, is 0
)

// Pseudo system calls.
const (
	nrInside = 1<<20 + iota // the path at args[0] begins with a slash
)

// op is one system call. References are offsets into the arena.
type op struct {
	nr     uintptr
	args   [6]uintptr
	out    uintptr // register that takes the result, 0 for none
	want   int32   // a result other than this is the end of the peer, 0 for any
	policy uint8
	refs   uint8 // bit i: args[i] is a register
	last   bool  // of an execve: no further place to try
}

// Program is a list of system calls under construction. Operations may be added
// after the fork as long as init is known to wait (see Await).
type Program struct {
	*Arena
	steps []string
}

// New returns an empty program with room for size bytes of arguments.
func New(size int) (*Program, error) {
	a, err := NewArena(int(opsOffset+maxOps*unsafe.Sizeof(op{})) + size)
	if err != nil {
		return nil, err
	}
	return &Program{Arena: a}, nil
}

// Call adds the system call nr and describes it as step. Arguments are numbers
// (int, uintptr, uint64) or registers (Reg).
func (p *Program) Call(step string, nr uintptr, args ...any) { p.add(step, op{nr: nr}, args) }

// Try is Call for a system call that may fail.
func (p *Program) Try(step string, nr uintptr, args ...any) {
	p.add(step, op{nr: nr, policy: ignored}, args)
}

// Store is Call that keeps the result in out.
func (p *Program) Store(step string, out Reg, nr uintptr, args ...any) {
	p.add(step, op{nr: nr, out: uintptr(out)}, args)
}

// Expect is Call for a system call whose result must be want; anything else
// means that the peer is gone, and init leaves silently.
func (p *Program) Expect(step string, want int32, nr uintptr, args ...any) {
	p.add(step, op{nr: nr, want: want}, args)
}

func (p *Program) add(step string, o op, args []any) {
	n := len(p.steps)
	if n == maxOps {
		panic("initproc: program is too long")
	}
	for i, arg := range args {
		switch v := arg.(type) {
		case int:
			o.args[i] = uintptr(v)
		case uintptr:
			o.args[i] = v
		case uint64:
			o.args[i] = uintptr(v)
		case Reg:
			o.args[i] = uintptr(v)
			o.refs |= 1 << i
		default:
			panic(fmt.Sprintf("initproc: argument of type %T", arg))
		}
	}
	*p.op(n) = o
	p.steps = append(p.steps, step)
	p.header().count = uint32(n + 1)
}

func (p *Program) op(i int) *op {
	return (*op)(unsafe.Pointer(&p.mem[opsOffset+uintptr(i)*unsafe.Sizeof(op{})]))
}

// Report names the descriptor on which failures are reported from now on in the
// program's order.
func (p *Program) Report(fd any) {
	out := Reg(unsafe.Offsetof(header{}.report))
	p.Store("", out, unix.SYS_FCNTL, fd, unix.F_DUPFD_CLOEXEC, 3)
}

// ReportTo names the descriptor on which failures are reported before the
// program runs.
func (p *Program) ReportTo(fd int) { p.header().report = int32(fd) }

// Describe turns a failed operation into an error that says what was attempted.
func (p *Program) Describe(step int32, errno unix.Errno) error {
	if step < 0 || int(step) >= len(p.steps) {
		return os.NewSyscallError("init", errno)
	}
	return fmt.Errorf("%s: %w", p.steps[step], errno)
}
