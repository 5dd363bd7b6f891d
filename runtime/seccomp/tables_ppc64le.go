package seccomp

var tables = map[string]table{"ppc64le": callsPpc64le}
