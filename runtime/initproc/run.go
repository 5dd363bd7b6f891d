package initproc

import (
	"syscall"
	"unsafe"

	"berth/runtime/sync"
)

// Entry is where init begins; it is made before the fork, as nothing can be
// made after it.
type Entry struct{ base unsafe.Pointer }

// Entry returns the start of the program.
func (p *Program) Entry() Entry { return Entry{unsafe.Pointer(&p.mem[0])} }

// Run runs the program in the child of a raw fork and never returns. It must
// not, and nothing it calls may, allocate, lock, or need more stack.
//
//go:norace
//go:nosplit
func (e Entry) Run() {
	h := (*header)(e.base)
	// The count is read anew each time: the parent adds to it while init waits.
	for i := uint32(0); i < h.count; i++ {
		o := (*op)(unsafe.Add(e.base, opsOffset+uintptr(i)*unsafe.Sizeof(op{})))
		a := o.args
		for j := range a {
			if o.refs&(1<<j) != 0 {
				a[j] = uintptr(*(*int32)(unsafe.Add(e.base, a[j])))
			}
		}
		var r uintptr
		var errno syscall.Errno
		if o.nr == nrInside {
			if *(*byte)(unsafe.Add(e.base, a[0])) != '/' {
				errno = syscall.ENOENT
			}
		} else {
			for {
				r, _, errno = syscall.RawSyscall6(o.nr, a[0], a[1], a[2], a[3], a[4], a[5])
				if errno != syscall.EINTR {
					break
				}
			}
		}
		if errno != 0 && o.policy != ignored && (o.policy != unless || a[1] != 0) {
			if o.policy == exec && !o.last && (errno == syscall.ENOENT || errno == syscall.ENOTDIR || errno == syscall.EACCES) {
				// As execvp(3): a later place may do, but that one place refused
				// is worth more in the report than that the others have nothing.
				if errno == syscall.EACCES {
					h.errno, h.step = int32(errno), int32(i)
				}
				continue
			}
			if o.policy != exec || h.errno == 0 {
				h.errno, h.step = int32(errno), int32(i)
			}
			e.fail(h, o.policy)
		}
		if errno == 0 && o.want != 0 && int32(r) != o.want {
			exit(1)
		}
		if errno == 0 && o.out != 0 {
			*(*int32)(unsafe.Add(e.base, o.out)) = int32(r)
		}
	}
	exit(1)
}

// fail reports the failure and leaves with the status a shell gives: 127 for a
// command that is not there, 126 for one that cannot be run.
//
//go:norace
//go:nosplit
func (e Entry) fail(h *header, policy uint8) {
	kind := int32(sync.Failed)
	if policy == exec {
		kind = sync.Refused
	}
	h.message = [3]int32{kind, h.step, h.errno}
	syscall.RawSyscall6(syscall.SYS_WRITE, uintptr(h.report), uintptr(unsafe.Pointer(&h.message)), sync.Size, 0, 0, 0)
	switch syscall.Errno(h.errno) {
	case syscall.ENOENT, syscall.ENOTDIR:
		exit(127)
	case syscall.EACCES, syscall.ENOEXEC:
		exit(126)
	}
	exit(1)
}

//go:norace
//go:nosplit
func exit(code uintptr) {
	for {
		syscall.RawSyscall6(syscall.SYS_EXIT_GROUP, code, 0, 0, 0, 0, 0)
	}
}
