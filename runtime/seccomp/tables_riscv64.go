package seccomp

var tables = map[string]table{"riscv64": callsRiscv64}
