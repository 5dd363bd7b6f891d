package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"
)

// maxJSON bounds the JSON body of a request, in bytes. The largest real ones (container create with long environments)
// are some hundred kilobytes.
const maxJSON = 8 << 20

// invalid is an error of kind InvalidArgument with only these words.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w%w", fmt.Errorf(format, args...), quiet{errdefs.ErrInvalidArgument})
}

// readJSON decodes the body of r into v. An absent body leaves v as it is, as docker does, if it is not said to be
// something else than JSON; unknown fields are ignored, since newer clients send them; anything after the value is
// refused.
func readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	empty := r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0
	contentType := r.Header.Get("Content-Type")
	if empty && contentType == "" {
		return nil
	}
	switch media, _, err := mime.ParseMediaType(contentType); {
	case err != nil:
		return invalid("malformed Content-Type header (%s): %w", contentType, err)
	case media != "application/json":
		return invalid("unsupported Content-Type header (%s): must be 'application/json'", contentType)
	case empty:
		return nil
	}
	return decodeJSON(http.MaxBytesReader(w, r.Body, maxJSON), v)
}

// decodeJSON reads exactly one JSON value.
func decodeJSON(body io.Reader, v any) error {
	dec := json.NewDecoder(body)
	if err := dec.Decode(v); err != nil {
		var tooLarge *http.MaxBytesError
		switch {
		case errors.As(err, &tooLarge):
			return &statusError{http.StatusRequestEntityTooLarge, fmt.Sprintf("the request body is larger than %d bytes", tooLarge.Limit)}
		case errors.Is(err, io.EOF):
			return invalid("invalid JSON: got EOF while reading request body")
		}
		return invalid("invalid JSON: %w", err)
	}
	// More skips white space only; a stray "}" or "]" is content too, which More hides.
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return invalid("unexpected content after JSON")
	}
	return nil
}

// flag reads a boolean of a query as docker does: absent, "", "0", "no", "false" and "none" are false, all else is true.
func flag(query url.Values, name string) bool {
	switch strings.ToLower(strings.TrimSpace(query.Get(name))) {
	case "", "0", "no", "false", "none":
		return false
	}
	return true
}

// flagOr is flag with a default for the case that the query does not have name.
func flagOr(query url.Values, name string, absent bool) bool {
	if !query.Has(name) {
		return absent
	}
	return flag(query, name)
}

// number reads an integer of a query, absent if there is none.
func number(query url.Values, name string, absent int) (int, error) {
	text := query.Get(name)
	if text == "" {
		return absent, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, invalid("invalid value for %s: %q is not a number", name, text)
	}
	return n, nil
}
