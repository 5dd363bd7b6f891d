package engine

import (
	"errors"
	"fmt"
	"strings"

	"berth/runtime/container"

	"github.com/containerd/errdefs"
)

// commandError gives an error of the runtime about the command the text by
// which docker's CLI tells 127 (missing) from 126 (not executable). ok is false
// for errors about something else.
func commandError(prefix, command string, err error) (worded error, code int, ok bool) {
	reason := "executable file not found in $PATH"
	switch {
	case errors.Is(err, container.ErrNotFound):
		code = 127
	case errors.Is(err, container.ErrNotExecutable):
		code, reason = 126, "permission denied"
	default:
		return err, 0, false
	}
	text := fmt.Sprintf("exec: %q: %s", command, reason)
	// The runtime's own words (container.CommandError) say more, and came through the shim as text.
	if at := strings.LastIndex(err.Error(), `exec: "`); at >= 0 {
		text = err.Error()[at:]
	}
	return kind(errdefs.ErrInvalidArgument, "%s: %s: unknown", prefix, text), code, true
}
