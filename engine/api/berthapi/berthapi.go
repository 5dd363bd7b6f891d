// Package berthapi is what berth's engine answers beyond the Docker Engine API: the types of the routes under
// /berth/ and a small client of them.
//
// The routes show what Docker's API keeps to itself: what each layer of an image added, changed and removed, the
// files in it, and what a running container has changed so far.
//
//	GET /berth/images/{ref}/layers               []Layer
//	GET /berth/images/{ref}/layers/{n}/entries   JSON lines of Entry; ?union=1: the whole tree up to layer n
//	GET /berth/images/{ref}/layers/{n}/file      the bytes of ?path=, as layer n holds them
//	GET /berth/images/{ref}/layers/{n}/archive   the layer as the tar that its DiffID is the digest of
//	GET /berth/images/{ref}/waste                Waste
//	GET /berth/containers/{id}/changes           JSON lines of Change, parents first
//	GET /berth/containers/{id}/file              the bytes of ?path=, as the container sees them now
//	POST /berth/containers/{id}/ports            takes PortChange, for a running container too; a PortMap of all its ports
//	GET /berth/trees/{tree}/entries              JSON lines of Entry
//	GET /berth/trees/{tree}/file                 the bytes of ?path=, links followed
//	GET /berth/trees/{tree}/archive              ?path= and what is in it as a tar, named from its last element
//	GET /berth/diff                              ?from= and ?to= trees; JSON lines of Difference;
//	                                             ?dir= limits it, ?ignore-times=1 leaves other times out
//	GET /berth/diff/file                         a unified diff of ?path= between the trees ?from= and ?to=
//	GET /berth/volumes/{name}/entries            JSON lines of Entry: what is directly in the directory ?path=
//	GET /berth/volumes/{name}/file               the bytes of ?path=, links followed within the volume
//	GET /berth/volumes/{name}/archive            what the volume holds as a tar
//	PUT /berth/volumes/{name}/archive            Volume: the tar in the body is unpacked into it; ?force=1 also over what
//	                                             it holds and while containers use it
//	POST /berth/volumes/{name}/clone             Volume: called ?to=, with what {name} holds
//	GET /berth/system/check                      Check: the store is read again; POST mends what is damaged
//
// Where JSON lines end early, the last one is a [Failed].
//
// Entries of large trees are read in pieces: ?dir= begins at a directory, ?depth=1 takes only what is directly in it
// (2: and one level more), ?limit= ends after so many, ?after= goes on behind a path. Each piece costs what it holds,
// not what the image does:
//
//	GET /berth/images/debian/layers/0/entries?dir=/usr/bin&depth=1&limit=100
//	GET /berth/images/debian/layers/0/entries?dir=/usr/bin&depth=1&limit=100&after=/usr/bin/clear
//
// A tree is the file system of an image ("debian", its ID), of an image up to one of its layers ("debian@layer2",
// counted as Layer.Index; "debian@sha256:…" with a digest of the layer), of one layer by itself ("sha256:…"), of a
// container with what it changed ("web"), or of its writable layer by itself ("web@live"). An image goes before a
// container of the same name; "image:web" and "container:web" choose.
//
// A reference or an ID is one path segment, escaped as [net/url.PathEscape] does ("/" becomes "%2F"). Every reply
// carries [Header]; an engine that does not send it is not berth's, which the client reports as [ErrUnsupported].
//
// The package imports nothing else of berth, since the console uses it against any engine.
package berthapi

import (
	"errors"
	"io/fs"
	"time"
)

// Header is set to [Version] on every reply of a route under /berth/.
const (
	Header  = "Berth-Api"
	Version = "1"
)

// Failed is the last line of JSON lines that the engine could not complete.
type Failed struct {
	Error string `json:"error"`
}

// ErrUnsupported is returned by the client when the engine it talks to has no /berth/ routes (dockerd, podman).
var ErrUnsupported = errors.New("this engine cannot do this, only berth's own can")

// Layer is one step of an image's history, oldest first. A step that changed only the image's configuration
// (ENV, CMD) has Empty set, no DiffID, and counts of zero.
type Layer struct {
	// Index counts all steps from 0, empty ones included; it is the {n} of the other routes.
	Index int `json:"Index"`
	// DiffID names the uncompressed tar, ChainID the tree of this and all lower layers, Digest the blob in the
	// content store ("" where the blob is not kept).
	DiffID  string `json:"DiffID,omitempty"`
	ChainID string `json:"ChainID,omitempty"`
	Digest  string `json:"Digest,omitempty"`
	// Size is the number of bytes of file content in the layer, unpacked.
	Size      int64     `json:"Size"`
	CreatedBy string    `json:"CreatedBy,omitempty"`
	Comment   string    `json:"Comment,omitempty"`
	Created   time.Time `json:"Created,omitzero"`
	Empty     bool      `json:"Empty,omitempty"`
	// Added, Modified and Deleted count entries against the tree below. A directory that is replaced or removed
	// as a whole counts once as deleted for the directory itself and once for each entry in it.
	Added    int `json:"Added"`
	Modified int `json:"Modified"`
	Deleted  int `json:"Deleted"`
	// Wasted is the number of bytes of files of lower layers that this one replaces or deletes: nobody can see them.
	Wasted int64 `json:"Wasted"`
}

// Kind says what a layer did to a path.
type Kind string

// The kinds. Metadata is a change of mode, owner or extended attributes with the same content.
const (
	Unchanged Kind = ""
	Added     Kind = "A"
	Modified  Kind = "M"
	Metadata  Kind = "M*"
	Deleted   Kind = "D"
)

// Type is the type of a file.
type Type string

// The types. A hard link is reported as File with Link set to the path it shares its content with.
const (
	File        Type = "file"
	Dir         Type = "dir"
	Symlink     Type = "symlink"
	CharDevice  Type = "char"
	BlockDevice Type = "block"
	FIFO        Type = "fifo"
	Socket      Type = "socket"
)

// Entry is one path of a layer, or of the union of layers. Path is clean and absolute ("/etc/passwd").
type Entry struct {
	Path string `json:"Path"`
	Kind Kind   `json:"Kind,omitempty"`
	Type Type   `json:"Type"`
	// Mode is the permission bits with setuid (04000), setgid (02000) and sticky (01000), as in stat(2).
	Mode uint32 `json:"Mode"`
	UID  int    `json:"UID"`
	GID  int    `json:"GID"`
	// Size is the length in bytes of a regular file, 0 for everything else.
	Size int64 `json:"Size,omitempty"`
	// Link is the target of a symlink, or the path a hard link shares its content with.
	Link string `json:"Link,omitempty"`
	// Digest is the digest of a regular file's content ("sha256:…").
	Digest  string    `json:"Digest,omitempty"`
	ModTime time.Time `json:"ModTime,omitzero"`
	Raw     *Raw      `json:"Raw,omitempty"`
}

// Raw are the bytes of a path and of a link's target when one of them is not UTF-8, which the text of JSON cannot hold.
// The client puts them in the place of the texts.
type Raw struct {
	Path []byte `json:"Path"`
	Link []byte `json:"Link,omitempty"`
}

// restore gives an entry its bytes.
func (e *Entry) restore() { e.Raw.restore(&e.Path, &e.Link) }

func (r *Raw) restore(path, link *string) {
	if r != nil {
		*path, *link = string(r.Path), string(r.Link)
	}
}

// Difference is a path at which two trees differ: Added, Deleted, Modified (type, content, target of a link) or
// Metadata. Old is nil for what was added, New for what was deleted. Of directories that came or went, all that is in
// them is listed too.
type Difference struct {
	Path string `json:"Path"`
	Kind Kind   `json:"Kind"`
	Old  *Entry `json:"Old,omitempty"`
	New  *Entry `json:"New,omitempty"`
}

// restore gives a difference and its sides their bytes.
func (d *Difference) restore() {
	for _, e := range []*Entry{d.Old, d.New} {
		if e != nil {
			e.restore()
			d.Path = e.Path
		}
	}
}

// Waste is what an image carries and nobody can see, by the rules of dive (github.com/wagoodman/dive): a file, an empty
// directory or a deletion that occurs in several layers wastes the sum of all its occurrences (of a deletion, the size
// of the directory that it deletes), and the efficiency is the sum of the smallest occurrence of each path divided by
// that of all.
type Waste struct {
	Efficiency  float64      `json:"Efficiency"`  // 1 is best
	Size        int64        `json:"Size"`        // bytes of files in all layers
	UserSize    int64        `json:"UserSize"`    // the same without the lowest layer
	Wasted      int64        `json:"Wasted"`      // bytes
	UserPercent float64      `json:"UserPercent"` // Wasted / UserSize: 0.1 is ten percent
	Files       []WastedFile `json:"Files"`       // that waste something, most first
}

// WastedFile is a path that occurs in several layers. Size is the sum of its occurrences in bytes.
type WastedFile struct {
	Path  string `json:"Path"`
	Count int    `json:"Count"`
	Size  int64  `json:"Size"`
}

// FileMode is the entry's type and permissions in Go's notation, whose String is what "ls -l" shows.
func (e Entry) FileMode() fs.FileMode { return e.Type.mode() | unixPerm(e.Mode) }

// ChangeKind says what a container did to a path.
type ChangeKind string

// The kinds of change of a container. ChangeMetadata is a change of mode, owner or extended attributes alone.
const (
	ChangeAdded    ChangeKind = "added"
	ChangeModified ChangeKind = "modified"
	ChangeMetadata ChangeKind = "metadata"
	ChangeDeleted  ChangeKind = "deleted"
)

// Change is one path of a container that differs from its image. Of a deleted path the other fields tell what was
// there. A directory is modified when it is only on the way to what changed.
type Change struct {
	Path string     `json:"Path"`
	Kind ChangeKind `json:"Kind"`
	// Mode is Go's file mode, type bits included.
	Mode    fs.FileMode `json:"Mode"`
	UID     int         `json:"UID"`
	GID     int         `json:"GID"`
	Size    int64       `json:"Size,omitempty"`
	ModTime time.Time   `json:"ModTime,omitzero"`
	Link    string      `json:"Link,omitempty"`
	Raw     *Raw        `json:"Raw,omitempty"`
}

// restore gives a change its bytes.
func (c *Change) restore() { c.Raw.restore(&c.Path, &c.Link) }

// mode is the type bits of t.
func (t Type) mode() fs.FileMode {
	switch t {
	case Dir:
		return fs.ModeDir
	case Symlink:
		return fs.ModeSymlink
	case CharDevice:
		return fs.ModeDevice | fs.ModeCharDevice
	case BlockDevice:
		return fs.ModeDevice
	case FIFO:
		return fs.ModeNamedPipe
	case Socket:
		return fs.ModeSocket
	}
	return 0
}

// TypeOf is the inverse of the type bits of [Entry.FileMode].
func TypeOf(m fs.FileMode) Type {
	switch {
	case m&fs.ModeDir != 0:
		return Dir
	case m&fs.ModeSymlink != 0:
		return Symlink
	case m&fs.ModeCharDevice != 0:
		return CharDevice
	case m&fs.ModeDevice != 0:
		return BlockDevice
	case m&fs.ModeNamedPipe != 0:
		return FIFO
	case m&fs.ModeSocket != 0:
		return Socket
	}
	return File
}

// UnixMode is the permission bits of m as stat(2) has them, for [Entry.Mode].
func UnixMode(m fs.FileMode) uint32 {
	u := uint32(m.Perm())
	for bit, unix := range specialBits {
		if m&bit != 0 {
			u |= unix
		}
	}
	return u
}

// specialBits maps Go's bits beyond rwx to those of stat(2).
var specialBits = map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000}

// unixPerm is the inverse of [UnixMode].
func unixPerm(u uint32) fs.FileMode {
	m := fs.FileMode(u & 0o777)
	for bit, unix := range specialBits {
		if u&unix != 0 {
			m |= bit
		}
	}
	return m
}
