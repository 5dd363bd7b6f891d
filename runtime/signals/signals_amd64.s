#include "textflag.h"

// func addresses() (nothing, restorer uintptr)
TEXT ·addresses(SB), NOSPLIT, $0-16
	LEAQ ·nothing(SB), AX
	MOVQ AX, nothing+0(FP)
	LEAQ ·restorer(SB), AX
	MOVQ AX, restorer+8(FP)
	RET

// nothing is a handler.
TEXT ·nothing(SB), NOSPLIT|NOFRAME, $0
	RET

// restorer is where a handler returns to.
TEXT ·restorer(SB), NOSPLIT|NOFRAME, $0
	MOVL $15, AX // rt_sigreturn
	SYSCALL
	INT  $3
