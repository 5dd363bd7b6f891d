package wire

// LogConfig says where a container's output goes.
type LogConfig struct {
	Driver   string            // "json-file" or "none"; empty is "none"
	Path     string            // of the json-file log; "": there is no file, the lines go to Remote only
	MaxSize  int64             // bytes at which the file is rotated; 0: never
	MaxFiles int               // files kept, the current one included; below 2 the file is emptied instead of rotated
	Compress bool              // rotated files are compressed with gzip
	Buffer   int64             // bytes that wait for a slow log, beyond which output is dropped; 0: the container waits
	Attrs    map[string]string // written as "attrs" of every line when not empty (labels, env, tag)
	Remote   LogRemote         // who gets every line besides
}

// LogRemote is a syslog or journald that gets the lines of a log. The zero value is none.
type LogRemote struct {
	Network  string // "unix", "unixgram", "udp" or "tcp"; "": none
	Path     string // of a unix socket
	IP       string // the 4 or 16 bytes of an address
	Port     int
	Format   string            // "", "rfc3164", "rfc5424", "rfc5424micro", or "journald"
	Facility int               // of syslog, 0 to 23
	Tag      string            // who a line is from
	Host     string            // the name of this machine, in the formats of the RFCs
	Fields   map[string]string // of every entry of journald
}

// Tree is a mount that comes to a shim as a descriptor: Path is where the shim attaches
// it, made for it and removed with it. It must lie below a mount prepared by PrivateMount.
// With Of it is no descriptor but once more what is attached at that other Path.
//
// With Subpath, a path within the tree that no symbolic link leads out of, that part of
// it is attached by itself at SubpathAt, where binds find it.
type Tree struct{ Path, Subpath, Of string }

// TreeFiles counts the descriptors that come with trees.
func TreeFiles(trees []Tree) (n int) {
	for _, t := range trees {
		if t.Of == "" {
			n++
		}
	}
	return n
}

// SubpathAt is where the part of the tree that Subpath names is attached.
func (t Tree) SubpathAt() string { return t.Path + ".sub" }

func (r *LogRemote) encode(e *encoder) {
	e.str(r.Network)
	e.str(r.Path)
	e.str(r.IP)
	e.i32(r.Port)
	e.str(r.Format)
	e.i32(r.Facility)
	e.str(r.Tag)
	e.str(r.Host)
	e.pairs(r.Fields)
}

func (r *LogRemote) decode(d *decoder) {
	r.Network, r.Path, r.IP, r.Port = d.str(), d.str(), d.str(), d.i32()
	r.Format = d.str()
	r.Facility, r.Tag, r.Host = d.i32(), d.str(), d.str()
	r.Fields = d.pairs()
}
