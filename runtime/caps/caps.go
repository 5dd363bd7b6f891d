// Package caps knows Linux capabilities by name and turns the five sets of a
// process into the words that the kernel takes.
package caps

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// names are the capabilities in the order of their numbers (linux/capability.h).
var names = [...]string{
	"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
	"LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
	"SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
	"SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
	"MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
	"CHECKPOINT_RESTORE",
}

// Number gives the number of a capability by its name (CAP_CHOWN).
func Number(name string) (int, bool) {
	short, ok := strings.CutPrefix(name, "CAP_")
	if !ok {
		return 0, false
	}
	for i, n := range names {
		if n == short {
			return i, true
		}
	}
	return 0, false
}

// Name gives the name of a capability by its number.
func Name(number int) string {
	if number < 0 || number >= len(names) {
		return "CAP_" + strconv.Itoa(number)
	}
	return "CAP_" + names[number]
}

// Names lists all capabilities that both this package and the kernel know.
func Names() []string {
	var list []string
	for i := range min(Last()+1, len(names)) {
		list = append(list, Name(i))
	}
	return list
}

// Last is the highest capability of the running kernel, which refuses to tell of
// those that it does not have.
var Last = sync.OnceValue(func() int {
	return sort.Search(64, func(n int) bool {
		_, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(n+1), 0, 0, 0)
		return err != nil
	})
})

// Sets are the five capability sets of a process, one bit each capability.
type Sets struct {
	Bounding, Effective, Permitted, Inheritable, Ambient uint64
}

// Parse reads the sets of a spec. What is not known here, or not in held (Held, or
// All for a user namespace), is left out and named in warnings: runtime-spec config.md, "Linux Process"
// wants these logged and the container run.
func Parse(c *specs.LinuxCapabilities, held func() (uint64, error)) (s Sets, warnings []string, err error) {
	if c == nil {
		return s, nil, nil
	}
	has, err := held()
	if err != nil {
		return s, nil, err
	}
	var unknown, lacking []string
	set := func(list []string) (bits uint64) {
		for _, name := range list {
			switch n, ok := Number(name); {
			case !ok || n > Last():
				unknown = append(unknown, name)
			case has&(1<<n) == 0:
				lacking = append(lacking, name)
			default:
				bits |= 1 << n
			}
		}
		return bits
	}
	s.Bounding = set(c.Bounding)
	s.Permitted = set(c.Permitted)
	s.Effective = set(c.Effective)
	s.Inheritable = set(c.Inheritable)
	// The kernel has it so.
	raisable := s.Permitted & s.Inheritable
	ambient := set(c.Ambient)
	s.Ambient = ambient & raisable
	for n := range Last() + 1 {
		if (ambient&^raisable)&(1<<n) != 0 { // runc's words
			warnings = append(warnings, "can't raise ambient capability "+Name(n)+": it is not both permitted and inheritable")
		}
	}
	warn := func(text string, names []string) {
		if len(names) > 0 {
			slices.Sort(names)
			warnings = append(warnings, fmt.Sprintf("%s: %v", text, slices.Compact(names)))
		}
	}
	warn("ignoring unknown or unavailable capabilities", unknown) // runc's words
	warn("ignoring capabilities that the runtime does not hold itself", lacking)
	return s, warnings, nil
}

// Held is the permitted set of the calling thread.
func Held() (uint64, error) {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&hdr, &data[0]); err != nil {
		return 0, fmt.Errorf("read the capabilities of the runtime: %w", err)
	}
	return uint64(data[1].Permitted)<<32 | uint64(data[0].Permitted), nil
}

// Data gives the three sets of capset(2) as its data argument, in the words of
// LINUX_CAPABILITY_VERSION_3.
func (s Sets) Data() [6]uint32 {
	return [6]uint32{
		uint32(s.Effective), uint32(s.Permitted), uint32(s.Inheritable),
		uint32(s.Effective >> 32), uint32(s.Permitted >> 32), uint32(s.Inheritable >> 32),
	}
}
