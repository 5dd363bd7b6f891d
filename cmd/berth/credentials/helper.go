package credentials

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/moby/moby/api/types/registry"
)

// tokenUser is the user name by which helpers mark an identity token.
const tokenUser = "<token>"

// missing is what helpers print when they have nothing for a server.
const missing = "credentials not found in native keychain"

// helperEntry is the form in which helpers take and give credentials.
type helperEntry struct {
	ServerURL, Username, Secret string
}

// run runs a helper. Its words in case of an error are on its stdout.
func (f *File) run(name, verb, input string) ([]byte, error) {
	program := "docker-credential-" + name
	if strings.ContainsAny(name, "/\\") {
		return nil, fmt.Errorf("%s names the credential helper %q, which is not a plain name", f.path, name)
	}
	cmd := exec.Command(program, verb)
	cmd.Env = f.environ
	cmd.Stdin = strings.NewReader(input)
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		return nil, fmt.Errorf("%s names the credential helper %s, which is not in PATH: install it, or take it out of the file", f.path, program)
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", program, verb, err, bytes.TrimSpace(out))
	}
	return out, nil
}

func (f *File) helperGet(name, server string) (registry.AuthConfig, error) {
	auth := registry.AuthConfig{ServerAddress: server}
	out, err := f.run(name, "get", server)
	if err != nil {
		if strings.Contains(err.Error(), missing) {
			return auth, nil
		}
		return auth, fmt.Errorf("getting credentials for %s: %w", server, err)
	}
	var e helperEntry
	if err := json.Unmarshal(out, &e); err != nil {
		return auth, fmt.Errorf("getting credentials for %s from docker-credential-%s: %w", server, name, err)
	}
	if e.Username == tokenUser {
		auth.IdentityToken = e.Secret
		return auth, nil
	}
	auth.Username, auth.Password = e.Username, e.Secret
	return auth, nil
}

func (f *File) helperStore(name string, auth registry.AuthConfig) error {
	e := helperEntry{auth.ServerAddress, auth.Username, auth.Password}
	if auth.IdentityToken != "" {
		e.Username, e.Secret = tokenUser, auth.IdentityToken
	}
	in, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if _, err := f.run(name, "store", string(in)); err != nil {
		return fmt.Errorf("saving credentials for %s: %w", auth.ServerAddress, err)
	}
	return nil
}

func (f *File) helperErase(name, server string) error {
	if _, err := f.run(name, "erase", server); err != nil && !strings.Contains(err.Error(), missing) {
		return fmt.Errorf("erasing credentials for %s: %w", server, err)
	}
	return nil
}
