package initproc

import (
	"encoding/binary"
	"fmt"
	"os"
	"unsafe"

	"berth/runtime/plainfile"
	"golang.org/x/sys/unix"
)

// The stub is a program of a few hundred bytes that runs programs of this package: the
// interpreter as an executable of its own, in sealed memory. Where there is one,
// init is not a copy of this process but a fresh process that maps the arena, at
// the address that it has here. That has three merits. The parent need not be
// copied page by page (CLONE_VFORK). While init waits for its start it has a few
// pages of its own. And /proc/<pid>/exe of a process that berth puts into a
// container never is berth's binary: a container that executes or opens it
// (CVE-2019-5736) gets the stub, which nobody can write.
//
// Layout of the file, which is one segment: the ELF header, the text at stubEntry,
// the parameters at stubParams.
const (
	stubBase    = 0x400000
	stubEntry   = 0x100
	stubParams  = 0x400
	stubSize    = stubParams + 24
	stubTextMax = stubParams - stubEntry
)

const stubName = "berth-init"

// StubFile is what the /proc/<pid>/exe of a process that runs the stub begins with.
const StubFile = "/memfd:" + stubName

// HasStub tells whether Stub will give one.
func HasStub() bool {
	if stubMachine == 0 {
		return false
	}
	noexec, err := plainfile.Read("/proc/sys/vm/memfd_noexec")
	return err != nil || len(noexec) == 0 || noexec[0] != '2'
}

// Stub returns an executable file that runs this program, to be executed with
// execveat(2) and the descriptors that it names open, ArenaFD's among them. nil
// means that init has to be a fork: the machine has no stub, or the kernel does not
// let memory be executed (vm.memfd_noexec).
func (p *Program) Stub() (*os.File, error) {
	if stubMachine == 0 {
		return nil, nil
	}
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate(stubName, flags|unix.MFD_EXEC)
	if err == unix.EINVAL { // before Linux 6.3
		fd, err = unix.MemfdCreate(stubName, flags)
	}
	if err == unix.EACCES || err == unix.ENOSYS {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("make the program of init: %w", err)
	}
	defer unix.Close(fd)
	if _, err := unix.Write(fd, p.stub()); err != nil {
		return nil, fmt.Errorf("write the program of init: %w", err)
	}
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		return nil, fmt.Errorf("seal the program of init: %w", err)
	}
	// What is open for writing cannot be executed.
	ro, err := unix.Open(plainfile.FD(fd), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open the program of init: %w", err)
	}
	// Who may execute but not read a program becomes undumpable by executing it.
	// That is so for the root of a user namespace, who has no rights over root's files.
	if err := unix.Fchmod(ro, 0o111); err != nil {
		unix.Close(ro)
		return nil, fmt.Errorf("make the program of init unreadable: %w", err)
	}
	return os.NewFile(uintptr(ro), stubName), nil
}

// stub is the file's content.
func (p *Program) stub() []byte {
	le := binary.LittleEndian
	b := make([]byte, 0, stubSize)
	b = append(b, 0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	b = le.AppendUint16(b, 2) // ET_EXEC
	b = le.AppendUint16(b, stubMachine)
	b = le.AppendUint32(b, 1)
	b = le.AppendUint64(b, stubBase+stubEntry)
	b = le.AppendUint64(b, 64) // program headers follow
	b = le.AppendUint64(b, 0)  // no sections
	b = le.AppendUint32(b, 0)
	for _, v := range []uint16{64, 56, 1, 0, 0, 0} {
		b = le.AppendUint16(b, v)
	}
	b = le.AppendUint32(b, 1) // PT_LOAD
	b = le.AppendUint32(b, 5) // read, execute
	for _, v := range []uint64{0, stubBase, stubBase, stubSize, stubSize, 4096} {
		b = le.AppendUint64(b, v)
	}
	b = append(b, make([]byte, stubEntry-len(b))...)
	b = append(b, text()...)
	b = le.AppendUint64(b, uint64(p.addr(0)))
	b = le.AppendUint64(b, uint64(len(p.mem)))
	return le.AppendUint64(b, uint64(p.fd))
}

// text is the machine code and whatever follows it in this binary.
func text() []byte {
	return unsafe.Slice((*byte)(stubAddress()), stubTextMax)
}

// ArenaFD is the descriptor of the arena for the stub.
func (p *Program) ArenaFD() int { return p.fd }
