package wire

import (
	"errors"
	"fmt"

	"github.com/containerd/errdefs"

	"berth/runtime/container"
)

// kinds are the error kinds that keep their meaning on the wire. The index is what is
// sent, so an entry never moves. An error that is of several is of the last, which is
// the most special.
var kinds = []error{
	1: errdefs.ErrNotFound,
	2: errdefs.ErrInvalidArgument,
	3: errdefs.ErrAlreadyExists,
	4: errdefs.ErrFailedPrecondition,
	5: errdefs.ErrUnavailable,
	6: errdefs.ErrPermissionDenied,
	7: errdefs.ErrNotImplemented,
	8: errdefs.ErrConflict,
	9: errdefs.ErrResourceExhausted,

	10: container.ErrNotFound,
	11: container.ErrNotExecutable,
	12: ErrExternal,
}

// ErrExternal is the kind of what an external runtime says of a request that it does not
// fulfil. The errors' text begins with "OCI runtime", as containerd's.
var ErrExternal = errors.New("external runtime")

// remoteError is an error that was made on the other side. Its text is the whole text;
// its kind is found by errors.Is.
type remoteError struct {
	text string
	kind error
}

func (e *remoteError) Error() string { return e.text }
func (e *remoteError) Unwrap() error { return e.kind }

// EncodeError returns the body of an error reply.
func EncodeError(err error) []byte {
	var e encoder
	kind := uint8(0)
	for i := len(kinds) - 1; i > 0; i-- {
		if errors.Is(err, kinds[i]) {
			kind = uint8(i)
			break
		}
	}
	e.u8(kind)
	e.str(err.Error())
	return e
}

// DecodeError reads the body of an error reply.
func DecodeError(body []byte) error {
	d := decoder{rest: body}
	kind, text := d.u8(), d.str()
	if err := d.end("error"); err != nil {
		return err
	}
	if int(kind) >= len(kinds) {
		return fmt.Errorf("decode error: unknown kind %d of %q", kind, text)
	}
	return &remoteError{text: text, kind: kinds[kind]}
}
