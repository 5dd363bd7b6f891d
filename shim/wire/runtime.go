package wire

// Runtime is an OCI runtime that is another program, with runc's command line. The zero
// value is berth's own, which the shim calls in its own process.
type Runtime struct {
	Path    string   // of the program, absolute
	Args    []string // before those of each call
	Cgroups string   // linux.cgroupsPath of the container; Start fills it in
}

// Built reports whether r is berth's own runtime.
func (r *Runtime) Built() bool { return r.Path == "" }

func (r *Runtime) encode(e *encoder) {
	e.str(r.Path)
	e.strs(r.Args)
	e.str(r.Cgroups)
}

func (r *Runtime) decode(d *decoder) { r.Path, r.Args, r.Cgroups = d.str(), d.strs(), d.str() }

// Encode returns r as bytes.
func (r *Runtime) Encode() []byte {
	var e encoder
	r.encode(&e)
	return e
}

// DecodeRuntime reads what Encode wrote.
func DecodeRuntime(body []byte) (r Runtime, err error) {
	d := decoder{rest: body}
	r.decode(&d)
	return r, d.end("runtime")
}
