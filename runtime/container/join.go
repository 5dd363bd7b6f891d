package container

import (
	"maps"
	"os"
	"slices"
	"strings"

	"berth/runtime/initproc"
)

// joinables puts the cgroups that init joins by itself into their order: first the
// one in which the container's processes are looked for, so that none is missed,
// and last the freezer, where a process may have to stop as soon as it comes.
func joinables(files map[string]*os.File) []initproc.Joinable {
	rank := func(controller string) int {
		switch controller {
		case "devices":
			return 0
		case "freezer":
			return 2
		}
		return 1
	}
	var list []initproc.Joinable
	for _, name := range slices.SortedFunc(maps.Keys(files), func(a, b string) int {
		if d := rank(a) - rank(b); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	}) {
		list = append(list, initproc.Joinable{Controller: name, FD: int(files[name].Fd())})
	}
	return list
}
