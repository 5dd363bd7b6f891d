package nsenter

// spawn makes a child that keeps the descriptors in keep (to a negative one) over
// the execve of stub. It returns the child's number or a negative errno.
//
//go:noescape
func spawn(args *cloneArgs, size uintptr, keep *int32, stub int32, path, argv, env uintptr) int
