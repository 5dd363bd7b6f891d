// Package diff turns layers from one form into another:
//
//	Apply      tar stream      → layer directory and index
//	WriteTar   directory       → tar stream (layer or plain tree)
//	Changes    upper directory → list of changes against the layers below
//	Merge      indexes         → the union tree, with each entry's change
//
// A layer directory is what overlay takes as a layer: a whiteout is a
// character device 0:0, an opaque directory carries the xattr
// trusted.overlay.opaque=y. In tar streams they are the files .wh.<name> and
// .wh..wh..opq (image-spec, layer.md).
//
// Tar streams and running containers are hostile. Nothing here resolves a
// path that they control through the kernel's usual rules: trees are walked
// by descriptors, one component at a time, without following links.
//
// Paths in entries and changes are absolute within the image ("/etc/hosts",
// "/" is the root), separated by slashes, and bytes: they need not be UTF-8.
package diff

import (
	"io/fs"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
)

// The forms that overlay and the layer format give to deletions.
const (
	opaqueXattr    = "trusted.overlay.opaque"
	whiteoutPrefix = ".wh."
	whiteoutMeta   = ".wh..wh."
	whiteoutOpaque = ".wh..wh..opq"
)

// Type is what an entry of a layer is.
type Type byte

// The types of entries. A hard link is a TypeRegular whose Link is set.
const (
	TypeRegular  Type = 'f'
	TypeDir      Type = 'd'
	TypeSymlink  Type = 'l'
	TypeChar     Type = 'c'
	TypeBlock    Type = 'b'
	TypeFifo     Type = 'p'
	TypeWhiteout Type = 'w' // deletes the path in the layers below
)

// Entry is one file of a layer.
type Entry struct {
	Path     string
	Type     Type
	Mode     uint32 // permission, setuid, setgid and sticky bits, as in stat(2)
	UID, GID int
	Size     int64         // bytes of a regular file; 0 for the further names of a hard link
	Link     string        // target of a symbolic link; first name of a hard link
	Digest   digest.Digest // of the content of a regular file
	ModTime  time.Time
	Device   uint64 // of a device node, as in makedev(3)
	Opaque   bool   // a directory that hides the one below
	Attrs    uint64 // hash of the extended attributes, 0 for none
}

// IsDir tells directories.
func (e *Entry) IsDir() bool { return e.Type == TypeDir }

// isDir is IsDir for an entry that may not be there.
func (e *Entry) isDir() bool { return e != nil && e.IsDir() }

// FileMode is the entry's type and mode in Go's terms.
func (e *Entry) FileMode() fs.FileMode {
	m := fs.FileMode(e.Mode & 0o777)
	if e.Mode&0o4000 != 0 {
		m |= fs.ModeSetuid
	}
	if e.Mode&0o2000 != 0 {
		m |= fs.ModeSetgid
	}
	if e.Mode&0o1000 != 0 {
		m |= fs.ModeSticky
	}
	switch e.Type {
	case TypeDir:
		m |= fs.ModeDir
	case TypeSymlink:
		m |= fs.ModeSymlink
	case TypeChar, TypeWhiteout:
		m |= fs.ModeDevice | fs.ModeCharDevice
	case TypeBlock:
		m |= fs.ModeDevice
	case TypeFifo:
		m |= fs.ModeNamedPipe
	}
	return m
}

// ComparePaths orders paths as a tree is listed: a directory is followed by
// all that is in it. That is byte order with the slash lowest.
func ComparePaths(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] == b[i] {
			continue
		}
		if a[i] == '/' {
			return -1
		}
		if b[i] == '/' {
			return 1
		}
		return int(a[i]) - int(b[i])
	}
	return len(a) - len(b)
}

// Within reports whether path is dir or below it.
func Within(path, dir string) bool {
	if dir == "/" {
		return true
	}
	return strings.HasPrefix(path, dir) && (len(path) == len(dir) || path[len(dir)] == '/')
}

// afterTree is a path that sorts after all that is in dir and before what
// follows it: no name contains a NUL, so a name is greater than "\x00" and
// the slash, which sorts lowest, is not part of it.
func afterTree(dir string) string {
	if dir == "/" {
		return "/\xff\xff"
	}
	return dir + "\x00"
}

// join appends a name to a directory's path.
func join(dir, name string) string {
	if dir == "/" {
		return "/" + name
	}
	return dir + "/" + name
}

// split is the inverse of join.
func split(path string) (dir, name string) {
	i := strings.LastIndexByte(path, '/')
	if i <= 0 {
		return "/", path[i+1:]
	}
	return path[:i], path[i+1:]
}
