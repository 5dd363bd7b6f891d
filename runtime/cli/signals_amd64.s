#include "textflag.h"

// func handlerAddress() uintptr
TEXT ·handlerAddress(SB), NOSPLIT, $0-8
	LEAQ ·handler(SB), AX
	MOVQ AX, ret+0(FP)
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
