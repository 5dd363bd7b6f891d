package engine

import "strings"

// commandMissing tells that a command is not in the container.
func commandMissing(err error) bool {
	return strings.Contains(err.Error(), "executable file not found")
}

// commandNotExecutable tells that it is there and cannot be executed.
func commandNotExecutable(err error) bool {
	return strings.Contains(err.Error(), "permission denied")
}
