package shim

// SealedCopy is the way of old kernels, which a test takes everywhere.
var SealedCopy = sealedCopy

// Spares are the processes that Prepare has started and that wait.
func (x Executable) Spares() []int {
	x.spares.mu.Lock()
	idle := x.spares.idle[:len(x.spares.idle):len(x.spares.idle)]
	x.spares.mu.Unlock()
	var pids []int
	for _, s := range idle {
		if <-s.ready; s.child != nil {
			pids = append(pids, s.child.pid)
		}
	}
	return pids
}

// MaxSpares is how many there are at most.
const MaxSpares = maxSpares
