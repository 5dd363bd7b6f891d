package contexts

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/containerd/errdefs"
)

// What an exported context may have: bytes in a file, and files.
const (
	maxFile  = 10 << 20
	maxFiles = 32
)

// Export writes a context as docker does: a tar of meta.json and tls/docker/*.pem.
// The keys are among them.
func (s *Store) Export(name string, w io.Writer) error {
	ctx, err := s.Get(name)
	if err != nil {
		return err
	}
	failed := func(err error) error { return fmt.Errorf("exporting context %q: %w", name, err) }
	out := tar.NewWriter(w)
	add := func(name, from string) error {
		data, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		if err := out.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(data)), Typeflag: tar.TypeReg}); err != nil {
			return err
		}
		_, err = out.Write(data)
		return err
	}
	if err := add("meta.json", filepath.Join(s.MetaPath(name), "meta.json")); err != nil {
		return failed(err)
	}
	dirs := []string{"tls/"}
	if ctx.TLSDir != "" {
		dirs = append(dirs, path.Join("tls", endpoint)+"/")
	}
	for _, d := range dirs {
		if err := out.WriteHeader(&tar.Header{Name: d, Mode: 0o700, Typeflag: tar.TypeDir}); err != nil {
			return failed(err)
		}
	}
	if ctx.TLSDir != "" {
		entries, err := os.ReadDir(ctx.TLSDir)
		if err != nil {
			return failed(err)
		}
		for _, e := range entries {
			if err := add(path.Join("tls", endpoint, e.Name()), filepath.Join(ctx.TLSDir, e.Name())); err != nil {
				return failed(err)
			}
		}
	}
	if err := out.Close(); err != nil {
		return failed(err)
	}
	return nil
}

// Import keeps as name the context that Export, or docker, has written.
// errdefs.ErrAlreadyExists if there is one of that name.
func (s *Store) Import(name string, r io.Reader) error {
	failed := func(err error) error { return fmt.Errorf("importing context %q: %w", name, err) }
	var doc document
	files := map[string][]byte{}
	in := tar.NewReader(r)
	for n := 0; ; n++ {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return failed(fmt.Errorf("it is no exported context: %w: %w", err, errdefs.ErrInvalidArgument))
		}
		if h.Typeflag == tar.TypeDir {
			continue
		}
		if h.Typeflag != tar.TypeReg || h.Size > maxFile || n > maxFiles {
			return failed(fmt.Errorf("%s is no file of at most %d bytes, or one too many: %w", h.Name, maxFile, errdefs.ErrInvalidArgument))
		}
		data, err := io.ReadAll(in)
		if err != nil {
			return failed(err)
		}
		switch dir, file := path.Split(path.Clean(h.Name)); {
		case dir == "" && file == "meta.json":
			if err := json.Unmarshal(data, &doc); err != nil {
				return failed(fmt.Errorf("meta.json: %w: %w", err, errdefs.ErrInvalidArgument))
			}
		case dir == "tls/"+endpoint+"/" && slices.Contains([]string{CA, Cert, Key}, file):
			files[file] = data
		default:
			return failed(fmt.Errorf("%s is no part of a context: %w", h.Name, errdefs.ErrInvalidArgument))
		}
	}
	host, _ := doc.Endpoints[endpoint]["Host"].(string)
	if host == "" {
		return failed(fmt.Errorf("it says no engine: %w", errdefs.ErrInvalidArgument))
	}
	if err := s.free(name); err != nil {
		return err
	}
	doc.Name = name
	c := s.context(doc)
	c.TLS = files
	return s.put(c, doc)
}

// free tells why name cannot be that of a new context, nil if it can.
func (s *Store) free(name string) error {
	if name == Default || !names.MatchString(name) {
		return fmt.Errorf("context name %q: %w: letters, digits and _.+- after a letter or a digit, at least two, and not %q", name, errdefs.ErrInvalidArgument, Default)
	}
	if _, err := s.read(s.MetaPath(name)); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("context %q: %w: 'berth context update' changes it", name, errdefs.ErrAlreadyExists)
	}
	return nil
}
