package shim

import (
	"reflect"
	"sync"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"berth/runtime/seccomp"
)

// filters compiles system call filters and keeps the last one: nearly all containers
// have the same.
type filters struct {
	mu     sync.Mutex
	of     *specs.LinuxSeccomp // not changed any more
	filter seccomp.Filter
}

// compile is seccomp.Compile. The caller does not change s or the filter later.
func (f *filters) compile(s *specs.LinuxSeccomp) (seccomp.Filter, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.of != nil && reflect.DeepEqual(f.of, s) {
		return f.filter, nil
	}
	filter, err := seccomp.Compile(s)
	if err == nil {
		f.of, f.filter = s, filter
	}
	return filter, err
}
