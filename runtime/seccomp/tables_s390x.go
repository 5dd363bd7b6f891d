package seccomp

var tables = map[string]table{"s390x": callsS390x}
