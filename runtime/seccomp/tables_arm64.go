package seccomp

var tables = map[string]table{"arm64": callsArm64, "arm": callsArm}
