// Package credentials keeps what users log in to registries with, where
// docker's tools look for it: in config.json, or in the credential helpers
// that it names.
//
// Terms: a server is the key of credentials, the host of a registry
// ("localhost:5000") or, for the default registry, the address Hub. A helper
// is a program docker-credential-NAME, which is given a verb and reads and
// writes JSON (github.com/docker/docker-credential-helpers).
//
// Nothing else of config.json is touched: fields that are not known here stay
// as they are. It must not import an engine or a client.
package credentials

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/moby/api/types/registry"
)

// Hub is the server of the default registry.
const Hub = "https://index.docker.io/v1/"

// File is docker's config.json. Make one with Load.
type File struct {
	path    string
	doc     map[string]json.RawMessage // all of it
	auths   map[string]entry
	store   string            // helper for all servers
	helpers map[string]string // helper for one server
	environ []string
}

// entry is what config.json has of one server.
type entry struct {
	Auth          string `json:"auth,omitempty"` // base64 of user:password
	IdentityToken string `json:"identitytoken,omitempty"`
	RegistryToken string `json:"registrytoken,omitempty"`
}

// Path is where config.json is: in DOCKER_CONFIG, or else in ~/.docker.
func Path(getenv func(string) string) string {
	if dir := getenv("DOCKER_CONFIG"); dir != "" {
		return filepath.Join(dir, "config.json")
	}
	home := getenv("HOME")
	if home == "" {
		home = "/root"
	}
	return filepath.Join(home, ".docker", "config.json")
}

// Load reads config.json; one that does not exist is empty. Helpers run with
// environ.
func Load(path string, environ []string) (*File, error) {
	f := &File{path: path, environ: environ, doc: map[string]json.RawMessage{}, auths: map[string]entry{}}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading credentials: %w", err)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return f, nil
	}
	err = json.Unmarshal(data, &f.doc)
	for key, into := range map[string]any{"auths": &f.auths, "credsStore": &f.store, "credHelpers": &f.helpers} {
		if raw, ok := f.doc[key]; ok && err == nil {
			err = json.Unmarshal(raw, into)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("reading credentials from %s: %w", path, err)
	}
	return f, nil
}

// Server is the key of the credentials for what a user or a reference calls a
// registry ("", "docker.io", "https://r.example/v2/").
func Server(name string) string {
	host := hostOf(name)
	switch host {
	case "", "docker.io", "index.docker.io", "registry-1.docker.io":
		return Hub
	}
	return host
}

// hostOf takes the scheme and the path off an address.
func hostOf(address string) string {
	if _, after, ok := strings.Cut(address, "://"); ok {
		address = after
	}
	host, _, _ := strings.Cut(address, "/")
	return host
}

// helper is the helper that keeps the credentials of a server, "" for the file.
func (f *File) helper(server string) string {
	if name, ok := f.helpers[server]; ok {
		return name
	}
	return f.store
}

// Get returns the credentials of a server; empty ones if there are none.
func (f *File) Get(server string) (registry.AuthConfig, error) {
	if name := f.helper(server); name != "" {
		return f.helperGet(name, server)
	}
	e, ok := f.auths[server]
	if !ok {
		// Older versions wrote addresses.
		for key, other := range f.auths {
			if hostOf(key) == hostOf(server) {
				e, ok = other, true
			}
		}
	}
	auth := registry.AuthConfig{ServerAddress: server}
	if !ok {
		return auth, nil
	}
	auth.IdentityToken, auth.RegistryToken = e.IdentityToken, e.RegistryToken
	if e.Auth != "" {
		plain, err := base64.StdEncoding.DecodeString(e.Auth)
		user, password, ok := strings.Cut(string(plain), ":")
		if err != nil || !ok {
			return auth, fmt.Errorf("the credentials for %s in %s cannot be read: log in again", server, f.path)
		}
		auth.Username, auth.Password = user, strings.TrimRight(password, "\x00")
	}
	return auth, nil
}

// Context is the name of the engine that is used when none is named, "" for
// that of this machine.
func (f *File) Context() string {
	var name string
	if json.Unmarshal(f.doc["currentContext"], &name) != nil {
		return "" // absent
	}
	return name
}

// UseContext keeps the name of the engine that is used from now on.
func (f *File) UseContext(name string) error {
	delete(f.doc, "currentContext")
	if name != "" {
		raw, err := json.Marshal(name)
		if err != nil {
			return err
		}
		f.doc["currentContext"] = raw
	}
	return f.write()
}

// Put keeps the credentials of a server. Plain tells that they stand in the
// file for whoever can read it.
func (f *File) Put(auth registry.AuthConfig) (plain bool, err error) {
	server := auth.ServerAddress
	if name := f.helper(server); name != "" {
		if err := f.helperStore(name, auth); err != nil {
			return false, err
		}
		// docker's tools list servers by this.
		f.auths[server] = entry{}
		return false, f.write()
	}
	e := entry{IdentityToken: auth.IdentityToken, RegistryToken: auth.RegistryToken}
	password := auth.Password
	if e.IdentityToken != "" {
		password = "" // the token stands for it
	}
	e.Auth = base64.StdEncoding.EncodeToString([]byte(auth.Username + ":" + password))
	f.auths[server] = e
	return true, f.write()
}

// Erase forgets the credentials of a server.
func (f *File) Erase(server string) error {
	var err error
	if name := f.helper(server); name != "" {
		err = f.helperErase(name, server)
	}
	changed := false
	for key := range f.auths {
		if key == server || hostOf(key) == hostOf(server) {
			delete(f.auths, key)
			changed = true
		}
	}
	if changed {
		err = errors.Join(err, f.write())
	}
	return err
}

// write replaces config.json as a whole: it is shared with other programs, and
// holds secrets.
func (f *File) write() error {
	raw, err := json.Marshal(f.auths)
	if err != nil {
		return err
	}
	f.doc["auths"] = raw
	data, err := json.MarshalIndent(f.doc, "", "\t")
	if err != nil {
		return err
	}
	// A link, to a file in somebody's collection of dot-files, stays one.
	path := f.path
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("saving credentials: %w", err)
	}
	tmp, err := os.CreateTemp(dir, "config.json")
	if err != nil {
		return fmt.Errorf("saving credentials: %w", err)
	}
	defer os.Remove(tmp.Name()) // it is gone when all went well
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("saving credentials: %w", err)
	}
	return nil
}
