package seccomp

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	profile "github.com/moby/profiles/seccomp"
)

// call is struct seccomp_data.
type call struct {
	nr, arch uint32
	args     [6]uint64
}

// simulate runs a filter as the kernel would and counts the instructions.
func simulate(t *testing.T, prog []unix.SockFilter, c call) (verdict uint32, insns int) {
	t.Helper()
	data := binary.NativeEndian.AppendUint32(nil, c.nr)
	data = binary.NativeEndian.AppendUint32(data, c.arch)
	data = binary.NativeEndian.AppendUint64(data, 0)
	for _, a := range c.args {
		data = binary.NativeEndian.AppendUint64(data, a)
	}
	var acc uint32
	for pc := 0; ; pc++ {
		insns++
		if pc >= len(prog) {
			t.Fatal("the filter runs off its end")
		}
		i := prog[pc]
		jump := func(yes bool) {
			if yes {
				pc += int(i.Jt)
			} else {
				pc += int(i.Jf)
			}
		}
		switch i.Code {
		case opLoad:
			acc = binary.NativeEndian.Uint32(data[i.K:])
		case opAnd:
			acc &= i.K
		case opRet:
			return i.K, insns
		case opJump:
			pc += int(i.K)
		case opEQ:
			jump(acc == i.K)
		case opGE:
			jump(acc >= i.K)
		case opGT:
			jump(acc > i.K)
		default:
			t.Fatalf("instruction %#x", i.Code)
		}
	}
}

// holds evaluates one condition of a profile.
func holds(a specs.LinuxSeccompArg, args [6]uint64) bool {
	v := args[a.Index]
	switch a.Op {
	case specs.OpEqualTo:
		return v == a.Value
	case specs.OpNotEqual:
		return v != a.Value
	case specs.OpGreaterThan:
		return v > a.Value
	case specs.OpGreaterEqual:
		return v >= a.Value
	case specs.OpLessThan:
		return v < a.Value
	case specs.OpMaskedEqual:
		return v&a.Value == a.ValueTwo
	}
	return v <= a.Value
}

// applies evaluates the conditions of one entry: all of them have to hold, or, if an
// argument has several, one.
func applies(e specs.LinuxSyscall, args [6]uint64) bool {
	count := map[uint]int{}
	held := 0
	for _, a := range e.Args {
		count[a.Index]++
		if holds(a, args) {
			held++
		}
	}
	return held == len(e.Args) || len(count) < len(e.Args) && held > 0
}

// reference evaluates a profile by its definition, number by number.
func reference(t *testing.T, s *specs.LinuxSeccomp, listed []arch, c call) uint32 {
	t.Helper()
	word := func(a specs.LinuxSeccompAction, errno *uint) uint32 {
		v, err := verdict(a, errno)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	byDefault := word(s.DefaultAction, s.DefaultErrnoRet)
	for _, a := range listed {
		x32Call := c.nr >= 1<<30
		if a.audit != c.arch || a.name == specs.ArchX86_64 && x32Call || a.name == specs.ArchX32 && !x32Call {
			continue
		}
		newest, unconditional, found := a.bit, byDefault, false
		for _, e := range s.Syscalls {
			for _, name := range e.Names {
				nr, ok := a.number(name)
				if !ok {
					continue
				}
				newest = max(newest, nr)
				if nr != c.nr {
					continue
				}
				found = true
				switch action := word(e.Action, e.ErrnoRet); {
				case len(e.Args) == 0:
					unconditional = action
				case applies(e, c.args):
					return action
				}
			}
		}
		if !found && c.nr > newest && byDefault != unix.SECCOMP_RET_ALLOW && byDefault != unix.SECCOMP_RET_LOG {
			return unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
		}
		return unconditional
	}
	return unix.SECCOMP_RET_KILL_THREAD
}

// TestAgainstReference compares random profiles with their definition.
func TestAgainstReference(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	machine := native
	own := machine[0]
	actions := []specs.LinuxSeccompAction{specs.ActAllow, specs.ActErrno, specs.ActKill, specs.ActKillProcess, specs.ActLog, specs.ActTrap, specs.ActTrace}
	ops := []specs.LinuxSeccompOperator{specs.OpNotEqual, specs.OpLessThan, specs.OpLessEqual, specs.OpEqualTo, specs.OpGreaterEqual, specs.OpGreaterThan, specs.OpMaskedEqual}
	values := []uint64{0, 1, 2, 1 << 31, 1<<32 - 1, 1 << 32, 1<<32 + 1, 1 << 63, ^uint64(0), 0x7e020000}
	pick := func() uint64 { return values[r.IntN(len(values))] }
	for range 300 {
		s := &specs.LinuxSeccomp{DefaultAction: actions[r.IntN(len(actions))], Architectures: []specs.Arch{own.name}}
		listed := machine[:1]
		if r.IntN(2) == 0 {
			s.Architectures, listed = []specs.Arch{specs.ArchMIPS}, machine // what the machine has not is no error
			for _, a := range machine[1:] {
				s.Architectures = append(s.Architectures, a.name)
			}
		}
		for range r.IntN(15) {
			e := specs.LinuxSyscall{Action: actions[r.IntN(len(actions))]}
			for range 1 + r.IntN(8) {
				e.Names = append(e.Names, own.calls[r.IntN(len(own.calls))].name)
			}
			for range r.IntN(3) {
				e.Args = append(e.Args, specs.LinuxSeccompArg{Index: uint(r.IntN(3)), Op: ops[r.IntN(len(ops))], Value: pick(), ValueTwo: pick()})
			}
			s.Syscalls = append(s.Syscalls, e)
		}
		prog, err := compile(s, machine)
		if err != nil {
			t.Fatal(err)
		}
		for nr := uint32(0); nr < 600; nr++ {
			for _, a := range machine {
				c := call{nr: a.bit | nr, arch: a.audit, args: [6]uint64{pick(), pick(), pick()}}
				got, _ := simulate(t, prog, c)
				if want := reference(t, s, listed, c); got != want {
					t.Fatalf("call %+v: verdict %#x, want %#x, profile %+v", c, got, want, s)
				}
			}
		}
	}
}

func dockerProfile(t testing.TB) *specs.LinuxSeccomp {
	t.Helper()
	p, err := profile.GetDefaultProfile(&specs.Spec{
		Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: []string{"CAP_CHOWN"}}}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDockerProfileIsShallow(t *testing.T) {
	prog, err := compile(dockerProfile(t), native)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range native[0].calls {
		if _, n := simulate(t, prog, call{nr: c.number, arch: native[0].audit}); n > 30 {
			t.Errorf("%s takes %d of %d instructions", c.name, n, len(prog))
		}
	}
	for name, want := range map[string]uint32{
		"read": unix.SECCOMP_RET_ALLOW, "mount": unix.SECCOMP_RET_ERRNO | 1, "clone3": unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS),
	} {
		nr, _ := native[0].number(name)
		if got, _ := simulate(t, prog, call{nr: nr, arch: native[0].audit}); got != want {
			t.Errorf("%s: verdict %#x, want %#x", name, got, want)
		}
	}
	if got, _ := simulate(t, prog, call{arch: unix.AUDIT_ARCH_MIPS}); got != unix.SECCOMP_RET_KILL_THREAD {
		t.Errorf("foreign architecture: verdict %#x", got)
	}
}

func TestBadProfiles(t *testing.T) {
	errno, big := uint(1), uint(1<<20)
	for text, s := range map[string]*specs.LinuxSeccomp{
		"defaultAction":        {DefaultAction: "SCMP_ACT_MAYBE"},
		"takes no errno":       {DefaultAction: specs.ActAllow, DefaultErrnoRet: &errno},
		"out of range":         {DefaultAction: specs.ActErrno, DefaultErrnoRet: &big},
		"unknown architecture": {DefaultAction: specs.ActAllow, Architectures: []specs.Arch{"SCMP_ARCH_PDP11"}},
		"unknown flag":         {DefaultAction: specs.ActAllow, Flags: []specs.LinuxSeccompFlag{"X"}},
		"unknown operator": {DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{
			{Names: []string{"read"}, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{{Op: "SCMP_CMP_ALMOST"}}}}},
		"argument 6": {DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{
			{Names: []string{"read"}, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{{Index: 6, Op: specs.OpEqualTo}}}}},
	} {
		_, err := Compile(s)
		if !errors.Is(err, errdefs.ErrInvalidArgument) || !strings.Contains(err.Error(), text) {
			t.Errorf("error %v, want an invalid argument with %q", err, text)
		}
	}
}

func TestNotify(t *testing.T) {
	notify := func(name string) specs.LinuxSyscall {
		return specs.LinuxSyscall{Names: []string{"read", name}, Action: specs.ActNotify}
	}
	for text, s := range map[string]*specs.LinuxSeccomp{
		"defaultAction: SCMP_ACT_NOTIFY cannot":                             {DefaultAction: specs.ActNotify, ListenerPath: "/x"},
		"syscalls[0]: SCMP_ACT_NOTIFY cannot be used for the write syscall": {DefaultAction: specs.ActAllow, ListenerPath: "/x", Syscalls: []specs.LinuxSyscall{notify("write")}},
		"listenerPath: SCMP_ACT_NOTIFY needs":                               {DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{notify("mount")}},
	} {
		if _, err := Compile(s); !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), text) {
			t.Errorf("error %v, want %q", err, text)
		}
	}
	s := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, ListenerPath: "/x", ListenerMetadata: "m",
		Flags: []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagWaitKillableRecv, specs.LinuxSeccompFlagLog, "SECCOMP_FILTER_FLAG_TSYNC"}}
	f, err := Compile(s)
	if err != nil || f.Notifies() || f.ListenerPath != "" || f.Flags != unix.SECCOMP_FILTER_FLAG_LOG {
		t.Errorf("without a rule that notifies: %+v, %v", f, err)
	}
	s.Syscalls = []specs.LinuxSyscall{notify("mount")}
	f, err = Compile(s)
	const flags = unix.SECCOMP_FILTER_FLAG_LOG | unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
	if err != nil || !f.Notifies() || f.ListenerPath != "/x" || f.ListenerMetadata != "m" || f.Flags != flags {
		t.Errorf("flags %#x, want %#x; %v", f.Flags, flags, err)
	}
}

// TestNamesNobodyHas is what makes old kernels run new profiles.
func TestNamesNobodyHas(t *testing.T) {
	f, err := Compile(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow,
		Syscalls: []specs.LinuxSyscall{{Names: []string{"from_the_future", "mount"}, Action: specs.ActErrno}}})
	if err != nil || len(f.Code)%8 != 0 || len(f.Code) == 0 {
		t.Errorf("filter of %d bytes, %v", len(f.Code), err)
	}
}

// TestPrivateCallsOfARM are those without which no 32-bit program starts on arm64.
func TestPrivateCallsOfARM(t *testing.T) {
	machine := arches("arm64", map[string]table{"arm64": {{"read", 63}}, "arm": {{"read", 3}}})
	prog, err := compile(&specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Architectures: []specs.Arch{specs.ArchARM},
		Syscalls: []specs.LinuxSyscall{{Names: []string{"read", "set_tls"}, Action: specs.ActAllow}}}, machine)
	if err != nil {
		t.Fatal(err)
	}
	for nr, want := range map[uint32]uint32{
		0xf0005: unix.SECCOMP_RET_ALLOW, 3: unix.SECCOMP_RET_ALLOW, 2: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM),
		4: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS),
	} {
		if got, _ := simulate(t, prog, call{nr: nr, arch: unix.AUDIT_ARCH_ARM}); got != want {
			t.Errorf("call %#x: verdict %#x, want %#x", nr, got, want)
		}
	}
}

func BenchmarkDockerProfile(b *testing.B) {
	p := dockerProfile(b)
	for b.Loop() {
		if _, err := Compile(p); err != nil {
			b.Fatal(err)
		}
	}
}
