#include "textflag.h"

// The interpreter of Entry.Run once more, as the whole text of a program of its
// own (see stub.go). It is position independent, uses no stack, and knows the
// layouts of header and op (layout_test.go holds them) and the page of parameters.
//
// R15 base of the arena, R12 number of the operation, R13 the operation.
TEXT ·stubText(SB), NOSPLIT|NOFRAME, $0
	// mmap(base, size, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_FIXED, fd, 0)
	MOVQ $0x400400, BX
	MOVQ 0(BX), DI
	MOVQ 8(BX), SI
	MOVQ $3, DX
	MOVQ $0x11, R10
	MOVQ 16(BX), R8
	MOVQ $0, R9
	MOVQ $9, AX
	SYSCALL
	MOVQ 0(BX), R15
	CMPQ AX, R15
	JNE  silent
	XORL R12, R12

loop:
	CMPL R12, 0(R15)
	JCC  silent
	IMUL3Q $72, R12, R13
	LEAQ 64(R15)(R13*1), R13

retry:
	MOVBLZX 69(R13), R14
	MOVQ  8(R13), DI
	TESTL $1, R14
	JZ    a1
	MOVLQSX (R15)(DI*1), DI

a1:
	MOVQ  16(R13), SI
	TESTL $2, R14
	JZ    a2
	MOVLQSX (R15)(SI*1), SI

a2:
	MOVQ  24(R13), DX
	TESTL $4, R14
	JZ    a3
	MOVLQSX (R15)(DX*1), DX

a3:
	MOVQ  32(R13), R10
	TESTL $8, R14
	JZ    a4
	MOVLQSX (R15)(R10*1), R10

a4:
	MOVQ  40(R13), R8
	TESTL $16, R14
	JZ    a5
	MOVLQSX (R15)(R8*1), R8

a5:
	MOVQ  48(R13), R9
	TESTL $32, R14
	JZ    call
	MOVLQSX (R15)(R9*1), R9

call:
	MOVQ 0(R13), AX
	CMPQ AX, $0x100000
	JEQ  inside
	SYSCALL
	CMPQ AX, $-4
	JEQ  retry
	CMPQ AX, $-4095
	JCC  failed
	MOVL 64(R13), CX
	TESTL CX, CX
	JZ   keep
	CMPL AX, CX
	JNE  silent

keep:
	MOVQ 56(R13), CX
	TESTQ CX, CX
	JZ   next
	MOVL AX, (R15)(CX*1)

next:
	INCL R12
	JMP  loop

inside:
	MOVBLZX (R15)(DI*1), AX
	CMPL AX, $47
	JEQ  next
	MOVQ $-2, AX

failed:
	NEGQ AX
	MOVBLZX 68(R13), CX
	CMPL CX, $1
	JEQ  next
	CMPL CX, $3
	JNE  place
	TESTL SI, SI
	JEQ  next

place:
	CMPL CX, $2
	JNE  fatal
	CMPB 70(R13), $0
	JNE  lastPlace
	CMPL AX, $2
	JEQ  next
	CMPL AX, $20
	JEQ  next
	CMPL AX, $13
	JNE  fatal
	MOVL AX, 8(R15)
	MOVL R12, 4(R15)
	JMP  next

lastPlace:
	CMPL 8(R15), $0
	JNE  report

fatal:
	MOVL AX, 8(R15)
	MOVL R12, 4(R15)

report:
	MOVL $3, AX
	CMPL CX, $2
	JNE  kind
	MOVL $4, AX

kind:
	MOVL AX, 16(R15)
	MOVL 4(R15), AX
	MOVL AX, 20(R15)
	MOVL 8(R15), AX
	MOVL AX, 24(R15)
	MOVLQSX 12(R15), DI
	LEAQ 16(R15), SI
	MOVQ $12, DX
	MOVQ $1, AX
	SYSCALL
	MOVL 8(R15), AX
	MOVQ $127, DI
	CMPL AX, $2
	JEQ  exit
	CMPL AX, $20
	JEQ  exit
	MOVQ $126, DI
	CMPL AX, $13
	JEQ  exit
	CMPL AX, $8
	JEQ  exit

silent:
	MOVQ $1, DI

exit:
	MOVQ $231, AX
	SYSCALL
	JMP  exit

// func stubAddress() unsafe.Pointer
TEXT ·stubAddress(SB), NOSPLIT, $0-8
	LEAQ ·stubText(SB), AX
	MOVQ AX, ret+0(FP)
	RET
