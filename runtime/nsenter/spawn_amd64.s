#include "textflag.h"

// func spawn(args *cloneArgs, size uintptr, keep *int32, stub int32, path, argv, env uintptr) int
//
// clone3 with CLONE_VM and CLONE_VFORK: the child borrows this stack, and so uses
// registers only, until its execve.
TEXT ·spawn(SB), NOSPLIT|NOFRAME, $0-64
	MOVQ args+0(FP), DI
	MOVQ size+8(FP), SI
	MOVQ keep+16(FP), R12
	MOVLQSX stub+24(FP), R13
	MOVQ path+32(FP), R8
	MOVQ argv+40(FP), R9
	MOVQ env+48(FP), R10
	MOVQ $435, AX
	SYSCALL
	TESTQ AX, AX
	JZ   child
	MOVQ AX, ret+56(FP)
	RET

child: // fcntl(fd, F_SETFD, 0) for each in keep, to -1
	MOVLQSX (R12), DI
	TESTQ DI, DI
	JLT  exec
	MOVQ $2, SI
	XORL DX, DX
	MOVQ $72, AX
	SYSCALL
	ADDQ $4, R12
	JMP  child

exec: // execveat(stub, path, argv, env, AT_EMPTY_PATH)
	MOVQ R13, DI
	MOVQ R8, SI
	MOVQ R9, DX
	MOVQ $0x1000, R8
	MOVQ $322, AX
	SYSCALL
	MOVQ $1, DI

gone:
	MOVQ $231, AX
	SYSCALL
	JMP  gone
