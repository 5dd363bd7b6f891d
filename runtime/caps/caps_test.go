package caps

import (
	"os"
	"slices"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestNames(t *testing.T) {
	for name, want := range map[string]int{"CAP_CHOWN": 0, "CAP_SYS_ADMIN": unix.CAP_SYS_ADMIN, "CAP_BPF": unix.CAP_BPF,
		"CAP_CHECKPOINT_RESTORE": unix.CAP_CHECKPOINT_RESTORE, "CAP_MKNOD": unix.CAP_MKNOD, "CAP_AUDIT_READ": unix.CAP_AUDIT_READ} {
		if n, ok := Number(name); !ok || n != want || Name(n) != name {
			t.Errorf("%s is %d (%v), named %s; want %d", name, n, ok, Name(n), want)
		}
	}
	for _, name := range []string{"CHOWN", "CAP_", "CAP_FLY", "cap_kill", ""} {
		if n, ok := Number(name); ok {
			t.Errorf("%q is capability %d", name, n)
		}
	}
	if Name(63) != "CAP_63" {
		t.Errorf("number 63 is called %s", Name(63))
	}
	if list := Names(); !slices.Contains(list, "CAP_KILL") || len(list) > Last()+1 {
		t.Errorf("%d names for %d capabilities", len(list), Last()+1)
	}
}

func TestParse(t *testing.T) {
	s, warnings, err := Parse(nil, Held)
	if err != nil || s != (Sets{}) || warnings != nil {
		t.Errorf("nothing: %+v, %v, %v", s, warnings, err)
	}
	if os.Getuid() != 0 {
		t.Skip("needs the capabilities of root")
	}
	list := []string{"CAP_CHOWN", "CAP_KILL", "CAP_FLY"}
	s, warnings, err = Parse(&specs.LinuxCapabilities{Bounding: list, Permitted: list, Effective: list[:1],
		Inheritable: list[1:], Ambient: []string{"CAP_CHOWN", "CAP_KILL"}}, Held)
	chown, kill := uint64(1<<unix.CAP_CHOWN), uint64(1<<unix.CAP_KILL)
	want := Sets{Bounding: chown | kill, Permitted: chown | kill, Effective: chown, Inheritable: kill, Ambient: kill}
	if err != nil || s != want {
		t.Errorf("sets %+v, %v; want %+v", s, err, want)
	}
	if want := []string{"can't raise ambient capability CAP_CHOWN: it is not both permitted and inheritable",
		"ignoring unknown or unavailable capabilities: [CAP_FLY]"}; !slices.Equal(warnings, want) {
		t.Errorf("warnings %q; want %q", warnings, want)
	}
}

func TestData(t *testing.T) {
	s := Sets{Effective: 1<<40 | 2, Permitted: 1<<41 | 4, Inheritable: 1<<33 | 8}
	if got, want := s.Data(), [6]uint32{2, 4, 8, 1 << 8, 1 << 9, 1 << 1}; got != want {
		t.Errorf("data %v, want %v", got, want)
	}
}
