#include "textflag.h"

// func enterTwin(args *cloneArgs, size uintptr, t *twin) int
//
// It returns 0 in the child and a negative errno if there is none. The parent does
// not return from here: it is asleep until the child has left through leaveTwin,
// and then returns from that, with the child's number.
TEXT ·enterTwin(SB), NOSPLIT|NOFRAME, $0-32
	MOVQ args+0(FP), DI
	MOVQ size+8(FP), SI
	MOVQ t+16(FP), R12
	MOVQ $435, AX
	SYSCALL
	TESTQ AX, AX
	JGT  back
	MOVQ AX, ret+24(FP)
	RET

back:
	MOVQ 0(R12), CX
	TESTQ CX, CX
	JZ   lost
	MOVQ 8(R12), BP
	MOVQ CX, SP
	MOVQ AX, 16(SP) // the result of leaveTwin
	RET

lost: // The child was killed, and the goroutine's stack is who knows where.
	MOVQ $2, DI
	MOVQ $231, AX
	SYSCALL
	JMP  lost

// func leaveTwin(t *twin) int
TEXT ·leaveTwin(SB), NOSPLIT|NOFRAME, $0-16
	MOVQ t+0(FP), R12
	MOVQ BP, 8(R12)
	MOVQ SP, 0(R12)

gone:
	XORL DI, DI
	MOVQ $231, AX
	SYSCALL
	JMP  gone
