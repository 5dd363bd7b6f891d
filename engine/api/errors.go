package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/common"
)

// handler answers one request. An error that it returns before anything is written becomes the reply.
type handler func(w http.ResponseWriter, r *http.Request) error

// statusOf is the one place that maps the kind of an error (github.com/containerd/errdefs) to a status of HTTP.
// An error of no kind is 500, as docker's clients expect.
func statusOf(err error) int {
	var coded *statusError
	switch {
	case errors.As(err, &coded):
		return coded.status
	case errdefs.IsNotFound(err):
		return http.StatusNotFound
	case errdefs.IsInvalidArgument(err), errdefs.IsOutOfRange(err):
		return http.StatusBadRequest
	case errdefs.IsConflict(err), errdefs.IsAlreadyExists(err), errdefs.IsFailedPrecondition(err):
		return http.StatusConflict
	case errdefs.IsUnauthorized(err):
		return http.StatusUnauthorized
	case errdefs.IsPermissionDenied(err):
		return http.StatusForbidden
	case errdefs.IsNotModified(err):
		return http.StatusNotModified
	case errdefs.IsNotImplemented(err):
		return http.StatusNotImplemented
	case errdefs.IsUnavailable(err), errdefs.IsResourceExhausted(err):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// statusError is an error whose status no kind of errdefs gives.
type statusError struct {
	status  int
	message string
}

func (e *statusError) Error() string { return e.message }

// quiet gives an error the kind of errdefs without its words: fmt.Errorf("text%w", quiet{kind}).
type quiet struct{ kind error }

func (quiet) Error() string   { return "" }
func (q quiet) Unwrap() error { return q.kind }

// writeError answers with err: {"message": …}, or nothing but the status for 304, which has no body.
func writeError(w http.ResponseWriter, err error) {
	status := statusOf(err)
	if status == http.StatusNotModified {
		w.WriteHeader(status)
		return
	}
	// An error that cannot be sent has no reader left: the client went.
	_ = writeJSON(w, status, common.ErrorResponse{Message: messageOf(err)})
}

// messageOf is what err says to a person: without the name of its kind at the end, which the status tells already and
// docker's texts do not have.
func messageOf(err error) string {
	text := err.Error()
	for _, kind := range kinds {
		if errors.Is(err, kind) {
			text = strings.TrimSuffix(text, ": "+kind.Error())
		}
	}
	return text
}

var kinds = []error{
	errdefs.ErrNotFound, errdefs.ErrInvalidArgument, errdefs.ErrOutOfRange, errdefs.ErrConflict, errdefs.ErrAlreadyExists,
	errdefs.ErrFailedPrecondition, errdefs.ErrUnauthenticated, errdefs.ErrPermissionDenied, errdefs.ErrNotImplemented,
	errdefs.ErrUnavailable, errdefs.ErrResourceExhausted, errdefs.ErrInternal, errdefs.ErrUnknown,
}

// writeJSON answers with v.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// gone tells whether the client of r has left, so that an error of ours is no news to anybody.
func gone(r *http.Request) bool { return errors.Is(r.Context().Err(), context.Canceled) }
