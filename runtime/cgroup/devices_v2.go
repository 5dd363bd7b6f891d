package cgroup

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Under cgroup v2 devices are guarded by an eBPF program on the cgroup. It gets
// struct bpf_cgroup_dev_ctx {access_type, major, minor} in r1, where access_type
// is access<<16|type, and returns 1 to allow (linux/bpf.h).
const (
	bpfMknod, bpfRead, bpfWrite = 1, 2, 4
	bpfBlock, bpfChar           = 1, 2
)

type insn struct {
	op       byte
	dst, src byte
	off      int16
	imm      int32
}

// The instructions used, as linux/bpf_common.h composes their codes.
const (
	ldxw   = 0x61 // dst = *(u32 *)(src + off)
	movReg = 0xbc // w dst = src
	movImm = 0xb4 // w dst = imm
	andImm = 0x54 // w dst &= imm
	rshImm = 0x74 // w dst >>= imm
	jneImm = 0x56 // if w dst != imm jump off
	jeqImm = 0x16 // if w dst == imm jump off
	leave  = 0x95
)

// compileDevices turns rules into a program. The last rule that matches wins, so
// they are tried backwards.
func compileDevices(rules []rule) []insn {
	prog := []insn{
		{op: ldxw, dst: 2, src: 1},
		{op: movReg, dst: 3, src: 2},
		{op: andImm, dst: 3, imm: 0xffff},
		{op: rshImm, dst: 2, imm: 16},
		{op: ldxw, dst: 4, src: 1, off: 4},
		{op: ldxw, dst: 5, src: 1, off: 8},
	}
	for i := len(rules) - 1; i >= 0; i-- {
		prog = append(prog, compileRule(rules[i])...)
		if rules[i].kind == 'a' {
			return prog // nothing gets past it, and the verifier wants no dead code
		}
	}
	return append(prog, insn{op: movImm}, insn{op: leave})
}

func compileRule(r rule) []insn {
	var access int32
	for _, c := range r.access {
		access |= map[rune]int32{'m': bpfMknod, 'r': bpfRead, 'w': bpfWrite}[c]
	}
	var tests []insn // each jumps to the next rule
	switch r.kind {
	case 'b':
		tests = append(tests, insn{op: jneImm, dst: 3, imm: bpfBlock})
	case 'c':
		tests = append(tests, insn{op: jneImm, dst: 3, imm: bpfChar})
	}
	switch {
	case r.kind == 'a' || access == bpfMknod|bpfRead|bpfWrite:
	case r.allow: // what is asked beyond the rule's access is not its business
		tests = append(tests, insn{op: movReg, dst: 1, src: 2}, insn{op: andImm, dst: 1, imm: 7 &^ access}, insn{op: jneImm, dst: 1})
	default:
		tests = append(tests, insn{op: movReg, dst: 1, src: 2}, insn{op: andImm, dst: 1, imm: access}, insn{op: jeqImm, dst: 1})
	}
	if r.major >= 0 && r.kind != 'a' {
		tests = append(tests, insn{op: jneImm, dst: 4, imm: int32(r.major)})
	}
	if r.minor >= 0 && r.kind != 'a' {
		tests = append(tests, insn{op: jneImm, dst: 5, imm: int32(r.minor)})
	}
	for i := range tests {
		if tests[i].op == jneImm || tests[i].op == jeqImm {
			tests[i].off = int16(len(tests) - i + 1)
		}
	}
	verdict := insn{op: movImm}
	if r.allow {
		verdict.imm = 1
	}
	return append(tests, verdict, insn{op: leave})
}

func assemble(prog []insn) []byte {
	var code []byte
	for _, i := range prog {
		code = append(code, i.op, i.src<<4|i.dst)
		code = binary.NativeEndian.AppendUint16(code, uint16(i.off))
		code = binary.NativeEndian.AppendUint32(code, uint32(i.imm))
	}
	return code
}

// attachDeviceFilter compiles the rules and attaches them to the cgroup at dir.
func attachDeviceFilter(dir string, rules []rule) error {
	cgroup, err := unix.Open(dir, unix.O_DIRECTORY|unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("linux.resources.devices: open %s: %w", dir, err)
	}
	defer unix.Close(cgroup)
	prog, err := loadFilter(compileDevices(rules))
	if err != nil {
		return fmt.Errorf("linux.resources.devices: load the filter: %w", err)
	}
	defer unix.Close(prog)
	attr := struct{ target, prog, kind, flags, replace uint32 }{
		target: uint32(cgroup), prog: uint32(prog), kind: unix.BPF_CGROUP_DEVICE, flags: unix.BPF_F_ALLOW_MULTI,
	}
	if _, err := bpf(unix.BPF_PROG_ATTACH, unsafe.Pointer(&attr), unsafe.Sizeof(attr)); err != nil {
		return fmt.Errorf("linux.resources.devices: attach the filter: %w", err)
	}
	return nil
}

func loadFilter(prog []insn) (int, error) {
	code, license := assemble(prog), []byte("Apache\x00")
	attr := struct {
		kind, count uint32
		insns       unsafe.Pointer
		license     unsafe.Pointer
		_           [96]byte // log, name and later fields: unused
	}{
		kind: unix.BPF_PROG_TYPE_CGROUP_DEVICE, count: uint32(len(prog)),
		insns: unsafe.Pointer(&code[0]), license: unsafe.Pointer(&license[0]),
	}
	return bpf(unix.BPF_PROG_LOAD, unsafe.Pointer(&attr), unsafe.Sizeof(attr))
}

func bpf(cmd int, attr unsafe.Pointer, size uintptr) (int, error) {
	for {
		r, _, errno := unix.Syscall(unix.SYS_BPF, uintptr(cmd), uintptr(attr), size)
		if errno == 0 {
			return int(r), nil
		}
		if errno != unix.EAGAIN && errno != unix.EINTR {
			return -1, errno
		}
	}
}
