package initproc

import (
	"bytes"
	"debug/elf"
	"strings"
	"testing"
	"unsafe"

	"github.com/containerd/errdefs"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// TestLayout holds what the assembly of the stub has in numbers.
func TestLayout(t *testing.T) {
	var h header
	var o op
	for name, c := range map[string][2]uintptr{
		"opsOffset": {opsOffset, 64}, "count": {unsafe.Offsetof(h.count), 0}, "step": {unsafe.Offsetof(h.step), 4},
		"errno": {unsafe.Offsetof(h.errno), 8}, "report": {unsafe.Offsetof(h.report), 12}, "message": {unsafe.Offsetof(h.message), 16},
		"op": {unsafe.Sizeof(o), 72}, "nr": {unsafe.Offsetof(o.nr), 0}, "args": {unsafe.Offsetof(o.args), 8}, "out": {unsafe.Offsetof(o.out), 56},
		"want": {unsafe.Offsetof(o.want), 64}, "policy": {unsafe.Offsetof(o.policy), 68}, "refs": {unsafe.Offsetof(o.refs), 69},
		"last": {unsafe.Offsetof(o.last), 70}, "nrInside": {nrInside, 0x100000}, "ignored": {ignored, 1}, "exec": {exec, 2}, "unless": {unless, 3},
		"params": {stubBase + stubParams, 0x400400},
	} {
		if c[0] != c[1] {
			t.Errorf("%s is %d, and the assembly has %d", name, c[0], c[1])
		}
	}
}

func TestStubIsAnExecutable(t *testing.T) {
	if stubMachine == 0 {
		t.Skip("no stub for this machine")
	}
	p, err := New(1 << 12)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Free()
	b := p.stub()
	f, err := elf.NewFile(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if f.Type != elf.ET_EXEC || int(f.Machine) != stubMachine || len(f.Progs) != 1 || f.Progs[0].Flags != elf.PF_R|elf.PF_X ||
		f.Entry != stubBase+stubEntry || len(b) != stubSize {
		t.Errorf("file header %+v of %d bytes", f.FileHeader, len(b))
	}
}

func TestArenasDoNotOverlap(t *testing.T) {
	a, err := NewArena(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Free()
	b, err := NewArena(1 << 16)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Free()
	if x, y := a.addr(0), b.addr(0); y < x+uintptr(len(a.mem)) && x < y+uintptr(len(b.mem)) {
		t.Errorf("arenas at %#x and %#x", x, y)
	}
}

func TestCheckLimits(t *testing.T) {
	for text, list := range map[string][]specs.POSIXRlimit{
		"unknown limit":        {{Type: "RLIMIT_LOVE"}},
		"given twice":          {{Type: "RLIMIT_CPU"}, {Type: "RLIMIT_CPU"}},
		"above the hard limit": {{Type: "RLIMIT_AS", Soft: 2, Hard: 1}},
	} {
		if err := CheckLimits(&specs.Process{Rlimits: list}); !errdefs.IsInvalidArgument(err) || !strings.Contains(err.Error(), text) {
			t.Errorf("error %v, want %q in it", err, text)
		}
	}
	if err := CheckLimits(&specs.Process{Rlimits: []specs.POSIXRlimit{{Type: "RLIMIT_CPU", Soft: 1, Hard: 2}}}); err != nil {
		t.Error(err)
	}
}
