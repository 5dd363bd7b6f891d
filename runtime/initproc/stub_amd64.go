package initproc

import "unsafe"

// stubMachine is the machine in the program's header (EM_X86_64).
const stubMachine = 62

func stubAddress() unsafe.Pointer
