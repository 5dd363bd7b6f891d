// Package contexts keeps the engines that a user has given names, in the
// format and the place of docker's CLI: what one of the two has made the other
// sees.
//
// A context NAME is the file meta/ID/meta.json, ID being the SHA-256 of the
// name in hex, and, when its engine is reached over TLS, the files ca.pem,
// cert.pem and key.pem in tls/ID/docker. "default" is no file: it means no
// context. Which context is used is a field of config.json, which package
// credentials writes. It must not import a client or an engine.
package contexts

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
)

// Default is the name that means no context: the engine of this machine.
const Default = "default"

// endpoint is the key of the engine's address among a context's endpoints.
const endpoint = "docker"

// The files of a context's TLS material.
const (
	CA   = "ca.pem"
	Cert = "cert.pem"
	Key  = "key.pem"
)

// names are those that docker takes.
var names = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$`)

// Context is a named engine.
type Context struct {
	Name        string
	Description string
	Host        string
	SkipVerify  bool              // any certificate of the server will do
	TLSDir      string            // where CA, Cert and Key are; "" without any
	TLS         map[string][]byte // Put: the files to keep, by name
}

// document is meta.json. What berth does not know stays as it was.
type document struct {
	Name      string
	Metadata  map[string]any
	Endpoints map[string]map[string]any
}

// Store is a directory of contexts.
type Store struct{ dir string }

// Open returns the store in dir, which need not exist yet.
func Open(dir string) *Store { return &Store{dir} }

func id(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

// MetaPath is the directory of what the store knows of name.
func (s *Store) MetaPath(name string) string { return filepath.Join(s.dir, "meta", id(name)) }

// TLSPath is the directory of the certificates of name.
func (s *Store) TLSPath(name string) string { return filepath.Join(s.dir, "tls", id(name)) }

// Get returns a context; errdefs.ErrNotFound if there is none of that name.
func (s *Store) Get(name string) (Context, error) {
	doc, err := s.read(s.MetaPath(name))
	if errors.Is(err, fs.ErrNotExist) {
		return Context{}, fmt.Errorf("context %q: %w: 'berth context ls' lists them", name, errdefs.ErrNotFound)
	}
	if err != nil {
		return Context{}, fmt.Errorf("reading context %q: %w", name, err)
	}
	return s.context(doc), nil
}

func (s *Store) read(dir string) (document, error) {
	var doc document
	data, err := os.ReadFile(filepath.Join(dir, "meta.json"))
	if err != nil {
		return doc, err
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return doc, fmt.Errorf("%s: %w", filepath.Join(dir, "meta.json"), err)
	}
	return doc, nil
}

func (s *Store) context(doc document) Context {
	c := Context{Name: doc.Name}
	c.Description, _ = doc.Metadata["Description"].(string) // absent: none
	c.Host, _ = doc.Endpoints[endpoint]["Host"].(string)
	c.SkipVerify, _ = doc.Endpoints[endpoint]["SkipTLSVerify"].(bool)
	dir := filepath.Join(s.TLSPath(doc.Name), endpoint)
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		c.TLSDir = dir
	}
	return c
}

// List returns all contexts by name.
func (s *Store) List() ([]Context, error) {
	entries, err := os.ReadDir(filepath.Join(s.dir, "meta"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing contexts: %w", err)
	}
	var out []Context
	for _, e := range entries {
		doc, err := s.read(filepath.Join(s.dir, "meta", e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("listing contexts: %w", err)
		}
		out = append(out, s.context(doc))
	}
	slices.SortFunc(out, func(a, b Context) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Create keeps a new context; errdefs.ErrAlreadyExists if there is one of its name.
func (s *Store) Create(c Context) error {
	if err := s.free(c.Name); err != nil {
		return err
	}
	return s.put(c, document{Name: c.Name})
}

// Update changes the context that has c's name to c. A nil c.TLS leaves its
// certificates.
func (s *Store) Update(c Context) error {
	doc, err := s.read(s.MetaPath(c.Name))
	if err != nil {
		_, err = s.Get(c.Name)
		return err
	}
	return s.put(c, doc)
}

// put writes the certificates first: meta.json is what makes a context.
func (s *Store) put(c Context, doc document) error {
	if doc.Metadata == nil {
		doc.Metadata = map[string]any{}
	}
	if doc.Endpoints == nil {
		doc.Endpoints = map[string]map[string]any{}
	}
	if doc.Endpoints[endpoint] == nil {
		doc.Endpoints[endpoint] = map[string]any{}
	}
	delete(doc.Metadata, "Description")
	if c.Description != "" {
		doc.Metadata["Description"] = c.Description
	}
	doc.Endpoints[endpoint]["Host"], doc.Endpoints[endpoint]["SkipTLSVerify"] = c.Host, c.SkipVerify
	data, err := json.Marshal(doc)
	if err != nil {
		return fmt.Errorf("saving context %q: %w", c.Name, err)
	}
	for name, content := range c.TLS {
		if err == nil {
			err = write(filepath.Join(s.TLSPath(c.Name), endpoint), name, content)
		}
	}
	if err == nil {
		err = write(s.MetaPath(c.Name), "meta.json", data)
	}
	if err != nil {
		return fmt.Errorf("saving context %q: %w", c.Name, err)
	}
	return nil
}

// write replaces a file as a whole.
func write(dir, name string, data []byte) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, "."+name)
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // it is gone when all went well
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), filepath.Join(dir, name))
}

// Remove forgets a context and its certificates.
func (s *Store) Remove(name string) error {
	if _, err := s.Get(name); errdefs.IsNotFound(err) {
		return err
	}
	if err := errors.Join(os.RemoveAll(s.MetaPath(name)), os.RemoveAll(s.TLSPath(name))); err != nil {
		return fmt.Errorf("removing context %q: %w", name, err)
	}
	return nil
}
