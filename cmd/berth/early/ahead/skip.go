//go:build go1.26 && !go1.27

package ahead

import (
	"runtime"
	"unsafe" // also for go:linkname
)

// What follows mirrors structures of the Go runtime, whose layout the build
// constraint above ties to the version that has it. Built with another, berth works
// as well; its short roles only start later.

// task is initTask of runtime/proc.go; first is the first of nfns functions.
type task struct {
	state, nfns uint32
	first       uintptr
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

func init() {
	if Of(arguments()) == Main {
		return
	}
	m := lastmoduledatap
	list := uintptr(unsafe.Pointer(unsafe.SliceData(m.tasks)))
	if list < m.noptrdata || list >= m.enoptrdata || len(m.tasks) != cap(m.tasks) {
		return // not the layout that was expected after all
	}
	for _, t := range m.tasks {
		if t.state != waiting {
			continue
		}
		pkg := packageOf(runtime.FuncForPC(t.first).Name())
		if pkg == "berth/cmd/berth/early" {
			return // the others' turn never comes
		}
		if Skips(pkg) {
			t.state = done
		}
	}
}

// packageOf gives the path of the package of a function by its name, such as
// "golang.org/x/sys/unix.init.0".
func packageOf(name string) string {
	end := 0
	for i := range len(name) {
		switch name[i] {
		case '/':
			end = 0
		case '.':
			if end == 0 {
				end = i
			}
		}
	}
	return name[:end]
}
