#include "textflag.h"

// func handlers() (handler, restorer uintptr)
TEXT ·handlers(SB), NOSPLIT, $0-16
	LEAQ ·handler(SB), AX
	MOVQ AX, handler+0(FP)
	LEAQ ·restorer(SB), AX
	MOVQ AX, restorer+8(FP)
	RET

// handler writes the number of the signal, a 32-bit one, to signalPipe. The kernel
// calls it on the thread's signal stack, which the Go runtime has made.
TEXT ·handler(SB), NOSPLIT|NOFRAME, $0
	PUSHQ DI
	MOVL  ·signalPipe(SB), DI
	MOVQ  SP, SI
	MOVL  $4, DX
	MOVL  $1, AX // write
	SYSCALL
	POPQ  DI
	RET

// restorer is where a handler returns to.
TEXT ·restorer(SB), NOSPLIT|NOFRAME, $0
	MOVL $15, AX // rt_sigreturn
	SYSCALL
	INT  $3
