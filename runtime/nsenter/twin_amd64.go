package nsenter

const hasTwin = true

// enterTwin and leaveTwin are described at Twin. Neither may be noescape: t must be
// on the heap, as the stack may move meanwhile.
func enterTwin(args *cloneArgs, size uintptr, t *twin) int
func leaveTwin(t *twin) int
