package seccomp

var tables = map[string]table{"amd64": callsAmd64, "386": calls386}
