package registry

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/containerd/containerd/v2/core/remotes/docker"
	remoteerrors "github.com/containerd/containerd/v2/core/remotes/errors"
	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
)

// problem is an error in docker's words, with a kind that does not show.
type problem struct {
	text  string
	kind  error // nil: none
	cause error // nil: none
}

func (p *problem) Error() string { return p.text }

func (p *problem) Unwrap() []error {
	var all []error
	for _, err := range []error{p.kind, p.cause} {
		if err != nil {
			all = append(all, err)
		}
	}
	return all
}

// notFound, invalid and the like say what is wrong with what was asked for or
// with what a registry sent.
func notFound(format string, args ...any) error {
	return &problem{text: fmt.Sprintf(format, args...), kind: errdefs.ErrNotFound}
}

func invalid(format string, args ...any) error {
	return &problem{text: fmt.Sprintf(format, args...), kind: errdefs.ErrInvalidArgument}
}

// pullProblem says why a name could not be resolved or fetched, as dockerd
// does: a name that needs credentials and one that does not exist look alike
// to whoever has none.
func pullProblem(ref reference.Named, err error) error {
	name := reference.FamiliarString(ref)
	code, said := answered(err)
	denied := code == http.StatusForbidden || code == http.StatusUnauthorized && said != ""
	switch {
	case err == nil:
		return nil
	case errors.Is(err, docker.ErrInvalidAuthorization) && !strings.Contains(err.Error(), noBasic), denied:
		if said == "" {
			said = "denied: requested access to the resource is denied"
		}
		return &problem{fmt.Sprintf("pull access denied for %s, repository does not exist or may require 'docker login': %s", reference.FamiliarName(ref), said), errdefs.ErrNotFound, err}
	case strings.HasPrefix(said, "name unknown"):
		return &problem{fmt.Sprintf("repository %s not found: %s", reference.FamiliarName(ref), said), errdefs.ErrNotFound, err}
	case errdefs.IsNotFound(err), code == http.StatusNotFound:
		if said == "" {
			said = "manifest unknown: manifest unknown"
		}
		return &problem{fmt.Sprintf("manifest for %s not found: %s", name, said), errdefs.ErrNotFound, err}
	case errdefs.IsNotImplemented(err) && strings.Contains(err.Error(), "manifest.v1+"):
		return &problem{fmt.Sprintf("the manifest of %s is of an older format than schema 2, which is no longer supported: its author has to build and push the image anew", name), errdefs.ErrNotImplemented, err}
	case errors.Is(err, docker.ErrInvalidAuthorization):
		return &problem{text: fmt.Sprintf("Head %q: %s", manifestURL(ref), noBasic), cause: err}
	}
	return pushProblem(err)
}

// manifestURL is where the manifest of ref is, as docker writes it.
func manifestURL(ref reference.Named) string {
	host, scheme := reference.Domain(ref), "https"
	switch {
	case host == dockerHub:
		host = dockerHubServer
	case docker.IsLocalhost(host):
		scheme = "http"
	}
	what := "latest"
	if d, ok := ref.(reference.Digested); ok {
		what = d.Digest().String()
	} else if t, ok := ref.(reference.Tagged); ok {
		what = t.Tag()
	}
	return fmt.Sprintf("%s://%s/v2/%s/manifests/%s", scheme, host, reference.Path(ref), what)
}

// noBasic is what there is to say when a registry wants a password and the
// client brought none.
const noBasic = "no basic auth credentials"

// pushProblem says what went wrong with a registry, without the names of the
// functions that it went wrong in.
func pushProblem(err error) error {
	if err == nil {
		return nil
	}
	var asked *url.Error
	var known *problem
	code, said := answered(err)
	switch {
	case errors.As(err, &known):
		return err
	case said != "":
		return &problem{said, nil, err}
	case errors.Is(err, docker.ErrInvalidAuthorization):
		if strings.Contains(err.Error(), noBasic) {
			return &problem{noBasic, nil, err}
		}
		return &problem{"denied: requested access to the resource is denied", nil, err}
	case code == http.StatusUnauthorized:
		return &problem{"unauthorized: authentication required", nil, err}
	case code == http.StatusForbidden:
		return &problem{"denied: requested access to the resource is denied", nil, err}
	case code == http.StatusTooManyRequests:
		return &problem{"toomanyrequests: the registry takes no more requests for now; log in for a higher limit, or try again later", nil, err}
	case code != 0: // with nothing that is for people to read
		return &problem{fmt.Sprintf("received unexpected HTTP status: %d %s", code, http.StatusText(code)), nil, err}
	case errors.As(err, &asked):
		return unreachable(asked)
	}
	return err
}

// unreachable says in docker's words which registry cannot be reached: docker asks for
// /v2/ before all else. It tries plain HTTP last on loopback, and that is the error it
// shows.
func unreachable(asked *url.Error) error {
	var dial *net.OpError
	var untrusted *tls.CertificateVerificationError
	u, err := url.Parse(asked.URL)
	if err != nil || !strings.HasPrefix(u.Path, "/v2/") {
		return asked
	}
	scheme, why := u.Scheme, asked.Err
	switch {
	case errors.Is(asked, errPage):
		return &problem{fmt.Sprintf("%s is no registry: %v", u.Host, errPage), errdefs.ErrInvalidArgument, asked}
	case errors.As(asked, &dial) && dial.Op == "dial":
		why = dial
		if docker.IsLocalhost(u.Host) {
			scheme = "http"
		}
	case errors.As(asked, &untrusted), errors.Is(asked, http.ErrSchemeMismatch):
	default:
		return asked
	}
	return &problem{text: fmt.Sprintf("Get %q: %v", scheme+"://"+u.Host+"/v2/", why), cause: asked}
}

// answered is the status of the answer that err tells of, 0 for none, and what
// the registry said in it.
func answered(err error) (code int, said string) {
	var status remoteerrors.ErrUnexpectedStatus
	if !errors.As(err, &status) {
		return 0, ""
	}
	return status.StatusCode, errorBody(status.Body)
}

// code is the status of the answer that err tells of, 0 for none.
func code(err error) int {
	status, _ := answered(err)
	return status
}

// errorBody reads the errors of an answer (distribution-spec, "Error Codes")
// the way dockerd prints them: "denied: requested access to the resource is
// denied". Anything else is not for people to read.
func errorBody(body []byte) string {
	var doc struct {
		Errors []struct{ Code, Message string }
		// What token servers say instead.
		Details string
	}
	if json.Unmarshal(body, &doc) != nil {
		return ""
	}
	var all []string
	for _, e := range doc.Errors {
		text := strings.ToLower(strings.ReplaceAll(e.Code, "_", " "))
		if e.Message != "" {
			text += ": " + e.Message
		}
		all = append(all, text)
	}
	if len(all) == 0 && doc.Details != "" {
		all = append(all, doc.Details)
	}
	return printable(strings.Join(all, "\n"))
}

// maxSaid bounds what of a registry's own words is passed on, in bytes.
const maxSaid = 1000

// printable keeps a registry from writing escape sequences to terminals.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if r != '\n' && !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text)
	if len(text) > maxSaid {
		text = strings.ToValidUTF8(text[:maxSaid], "") + "…"
	}
	return text
}
