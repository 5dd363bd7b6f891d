// This file is empty on purpose: without an assembly file the compiler does not
// accept the functions without a body in fork.go.
