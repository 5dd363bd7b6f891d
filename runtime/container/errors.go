package container

import (
	"fmt"

	"github.com/containerd/errdefs"
)

// The command cannot be run. Docker gives these the exit statuses 127 and 126.
// Both are also of the kind errdefs.ErrInvalidArgument.
var (
	ErrNotFound      error = commandKind("executable file not found")
	ErrNotExecutable error = commandKind("file is not executable")
)

type commandKind string

func (e commandKind) Error() string { return string(e) }
func (e commandKind) Unwrap() error { return errdefs.ErrInvalidArgument }

// CommandError says why a command cannot be run, in the words that Docker's
// tools look for.
type CommandError struct {
	Name, Reason string
	Kind         error // ErrNotFound or ErrNotExecutable
}

func (e *CommandError) Error() string { return fmt.Sprintf("exec: %q: %s", e.Name, e.Reason) }
func (e *CommandError) Unwrap() error { return e.Kind }
