//go:build !amd64

package initproc

import "unsafe"

// stubMachine is 0 where the interpreter is not written in assembly: there init
// is a fork of this process.
const stubMachine = 0

func stubAddress() unsafe.Pointer { return nil }
