//go:build go1.26 && !go1.27

package ahead

import "unsafe" // also for go:linkname

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
	_                     [24]uintptr // pcHeader to etext
	noptrdata, enoptrdata uintptr
	_                     [33]uintptr // data to pkghashes
	tasks                 []*task
}

//go:linkname lastmoduledatap runtime.lastmoduledatap
var lastmoduledatap *module

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
	last := early
	switch Of(arguments()) {
	case Main:
		return
	case Client:
		last = clientEnd
	}
	if last != nil {
		lastmoduledatap.skip(**(**uintptr)(unsafe.Pointer(&last)))
	}
}

// skip marks as done the tasks of packages that lie behind the function last, but not
// that of package main. It imports them all and so comes last.
func (m *module) skip(last uintptr) {
	list := uintptr(unsafe.Pointer(unsafe.SliceData(m.tasks)))
	if list < m.noptrdata || list >= m.enoptrdata || len(m.tasks) != cap(m.tasks) {
		return // not the layout that was expected after all
	}
	for _, t := range m.tasks[:len(m.tasks)-1] {
		if t.state == waiting && t.first > last {
			t.state = done
		}
	}
}
