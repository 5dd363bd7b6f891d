//go:build go1.26 && !go1.27

package ahead

import "unsafe" // also for go:linkname; runtime would bring its task

// What follows mirrors structures of the Go runtime, whose layout the build
// constraint above ties to the version that has it. Built with another, berth works
// as well; its short roles only start later.

// task is initTask of runtime/proc.go.
type task struct {
	state uint32
	_     uint32  // how many functions there are
	first uintptr // of them
}

// The states of a task; 1 is the one that runs.
const (
	waiting = 0
	done    = 2
)

// module is moduledata of runtime/symtab.go as far as it is needed.
type module struct {
	_                     uintptr     // pcHeader
	names                 []byte      // of all functions, each with a zero behind it
	_                     [20]uintptr // cutab to etext
	noptrdata, enoptrdata uintptr
	_                     [33]uintptr // data to pkghashes
	tasks                 []*task
}

//go:linkname lastmoduledatap runtime.lastmoduledatap
var lastmoduledatap *module

// function is the beginning of _func of runtime/runtime2.go.
type function struct{ entry, name uint32 }

//go:linkname functionAt runtime.FuncForPC
func functionAt(pc uintptr) *function

//go:linkname arguments os.runtime_args
func arguments() []string

//go:linkname early berth/cmd/berth/early.init.0
func early()

// clientEnd is set by package main, and nil in the binary of a test, whose package main
// is another one.
//
//go:linkname clientEnd main.clientEnd
var clientEnd func()

func init() {
	last, unused := early, "unicode.init"
	args := arguments()
	switch Of(args) {
	case Main:
		return
	case Client:
		last, unused = clientEnd, ""
		if among(Nameless[:], verb(args[1:])) {
			unused = "github.com/distribution/reference.init"
		}
	}
	if last != nil {
		lastmoduledatap.skip(**(**uintptr)(unsafe.Pointer(&last)), unused)
	}
}

// skip marks as done the tasks of packages that lie behind the function last, but not
// that of package main. It imports them all and so comes last. It also leaves out the one
// that begins with the function called unused: package unicode makes maps of its tables by
// their names, which nothing reads but regular expressions, and they are a twentieth of the
// memory of an idle shim; the expressions for names of images take half a millisecond.
func (m *module) skip(last uintptr, unused string) {
	list := uintptr(unsafe.Pointer(unsafe.SliceData(m.tasks)))
	if list < m.noptrdata || list >= m.enoptrdata || len(m.tasks) != cap(m.tasks) {
		return // not the layout that was expected after all
	}
	for _, t := range m.tasks[:len(m.tasks)-1] {
		if t.state != waiting {
			continue
		}
		if t.first <= last && unused != "" && m.named(t.first, unused) {
			t.state, unused = done, ""
		}
		if t.first > last {
			t.state = done
		}
	}
}

// named says whether the function at pc has that name.
func (m *module) named(pc uintptr, name string) bool {
	f := functionAt(pc)
	if f == nil || f.entry == ^uint32(0) { // the latter stands for one that is inlined there
		return false
	}
	at, end := int(f.name), int(f.name)+len(name)
	return end < len(m.names) && string(m.names[at:end]) == name && m.names[end] == 0
}
