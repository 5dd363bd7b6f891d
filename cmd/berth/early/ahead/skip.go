//go:build go1.26 && !go1.27

package ahead

import "unsafe" // also for go:linkname

// What follows mirrors structures of the Go runtime, whose layout the build
// constraint above ties to the version that has it. Built with another, berth works
// as well; its short roles only start later. The runtime's own means (FuncForPC)
// would bring it, and hundreds of pages of its tables, in.

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
	_                     uintptr // pcHeader
	names                 []byte
	_                     [9]uintptr // cutab, filetab, pctab
	functions             []byte     // begin with the start and the name, as offsets
	table                 []struct{ start, function uint32 }
	_                     [3]uintptr // findfunctab, minpc, maxpc
	text, _               uintptr
	noptrdata, enoptrdata uintptr
	_                     [33]uintptr // data to pkghashes
	tasks                 []*task
}

//go:linkname lastmoduledatap runtime.lastmoduledatap
var lastmoduledatap *module

//go:linkname arguments os.runtime_args
func arguments() []string

func init() {
	if Of(arguments()) != Main {
		lastmoduledatap.skip()
	}
}

func (m *module) skip() {
	list := uintptr(unsafe.Pointer(unsafe.SliceData(m.tasks)))
	if list < m.noptrdata || list >= m.enoptrdata || len(m.tasks) != cap(m.tasks) {
		return // not the layout that was expected after all
	}
	for _, t := range m.tasks {
		if t.state != waiting {
			continue
		}
		pkg := packageOf(m.name(t.first))
		if string(pkg) == "berth/cmd/berth/early" {
			return // the others' turn never comes
		}
		if len(pkg) > 0 && Skips(unsafe.String(&pkg[0], len(pkg))) {
			t.state = done
		}
	}
}

// name gives the name of the function at pc, and what follows it in memory.
func (m *module) name(pc uintptr) []byte {
	start := uint32(pc - m.text)
	low, high := 0, len(m.table)
	for low+1 < high {
		if middle := (low + high) / 2; m.table[middle].start <= start {
			low = middle
		} else {
			high = middle
		}
	}
	f := (*[2]uint32)(unsafe.Pointer(&m.functions[m.table[low].function]))
	if f[0] != start {
		return nil
	}
	return m.names[f[1]:]
}

// packageOf gives the path of the package of a function by its name, such as
// "golang.org/x/sys/unix.init.0".
func packageOf(name []byte) []byte {
	end := 0
	for i, c := range name {
		switch c {
		case '/':
			end = 0
		case '.':
			if end == 0 {
				end = i
			}
		case 0, '(', '[':
			return name[:end]
		}
	}
	return name[:end]
}
