package cli

import (
	"errors"
	"strings"

	"github.com/containerd/errdefs"
)

// reason is an error in one line and without the word for its kind at the end,
// which repeats what was said ("no such file or directory: not found") and is meant
// for programs.
func reason(err error) string {
	text := err.Error()
	for _, kind := range []error{errdefs.ErrNotFound, errdefs.ErrInvalidArgument, errdefs.ErrAlreadyExists, errdefs.ErrFailedPrecondition} {
		if errors.Is(err, kind) {
			text = strings.TrimSuffix(text, ": "+kind.Error())
		}
	}
	return strings.ReplaceAll(text, "\n", "; ")
}
