package cli

import (
	"errors"
	"fmt"
	"testing"

	"github.com/containerd/errdefs"
	"golang.org/x/sys/unix"
)

func TestReason(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("bind /x: %w: %w", unix.ENOENT, errdefs.ErrNotFound), "bind /x: no such file or directory"},
		{fmt.Errorf("size=x: %w: %w", unix.EINVAL, errdefs.ErrInvalidArgument), "size=x: invalid argument"},
		{fmt.Errorf("size=x: %w", unix.EINVAL), "size=x: invalid argument"},
		{fmt.Errorf("start x: not running: %w", errdefs.ErrFailedPrecondition), "start x: not running"},
		{fmt.Errorf("linux.x: %w", errdefs.ErrNotImplemented), "linux.x: not implemented"},
		{errors.Join(errors.New("one"), errors.New("two")), "one; two"},
	} {
		if got := reason(c.err); got != c.want {
			t.Errorf("%q becomes %q, want %q", c.err, got, c.want)
		}
	}
}
