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
func commandError(prefix, command string, err error) (code int, ok bool, worded error) {
	reason := "executable file not found in $PATH"
	switch {
	case errors.Is(err, container.ErrNotFound):
		code = 127
	case errors.Is(err, container.ErrNotExecutable):
		code, reason = 126, "permission denied"
	default:
		return 0, false, err
	}
	text := fmt.Sprintf("exec: %q: %s", command, reason)
	// The runtime's own words (container.CommandError) say more, and came through the shim as text.
	if at := strings.LastIndex(err.Error(), `exec: "`); at >= 0 {
		text = err.Error()[at:]
	}
	return code, true, kind(errdefs.ErrInvalidArgument, "%s: %s: unknown", prefix, text)
}
